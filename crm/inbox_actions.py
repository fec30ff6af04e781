"""What is done with conversations of the inbox: each a form that leads back to the list, with a way to undo it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404
from django.shortcuts import redirect
from django.template.defaultfilters import pluralize
from django.urls import reverse
from django.views.decorators.http import require_POST

from crm.inbox import REFUSED, Filters, is_target
from crm.inbox_words import MARKS
from mailaccounts.models import Act
from mailaccounts.services.inbox import actions, browse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

    from mailaccounts.models import Folder

ARCHIVE = "archive"
KEY_DIGITS = 18  # what databases number rows with
NOTHING = {
    ARCHIVE: "There was nothing to archive: either it isn't in the inbox, or its mailbox has no archive folder.",
    Act.MOVE: "There was nothing to move: conversations are moved within their own mailbox.",
}


@login_required
@require_POST
def act(request: HttpRequest) -> HttpResponse:
    """Does with the chosen conversations what the pressed button says."""
    accounts = browse.accounts_of(request.user)
    folders = browse.folders_of(accounts)
    back = Filters.read(request.GET, accounts=accounts, folders=folders).query
    threads = _keys(request, "thread")
    what = request.POST.get("act", "")
    if not threads:
        messages.error(request, "Choose at least one conversation first.")
        return _back(back)
    if what == ARCHIVE:
        done = actions.move(request.user, threads)
    elif what == Act.MOVE:
        target = _target(request.POST.get("target", ""), folders)
        if target is None:
            messages.error(request, "Choose the folder to move to first.")
            return _back(back)
        done = actions.move(request.user, threads, target=target)
    elif what in MARKS:
        done = actions.mark(request.user, threads, Act(what))
    else:
        raise Http404
    if not actions.of_user(request.user).filter(request=done).exists():
        messages.info(request, NOTHING.get(what, "It was like that already."))
        return _back(back)
    return _back(back, done=done)


@login_required
@require_POST
def undo(request: HttpRequest, done: UUID) -> HttpResponse:
    """Takes back what was done by one press of a button."""
    count = actions.undo(request.user, done)
    if count:
        messages.success(request, f"Undone for {count} message{pluralize(count)}.")
    else:
        messages.info(request, "There was nothing left to undo.")
    return _back(_query(request))


@login_required
@require_POST
def dismiss(request: HttpRequest) -> HttpResponse:
    """The user has taken note of what was refused."""
    told = _keys(request, "action")[:REFUSED]
    actions.refused(request.user).filter(pk__in=told).update(dismissed=True)
    return _back(_query(request))


def _keys(request: HttpRequest, name: str) -> list[int]:
    """The keys that a form names, without what is none, or larger than any."""
    return [int(each) for each in request.POST.getlist(name) if each.isdecimal() and len(each) <= KEY_DIGITS]


def _target(text: str, folders: Sequence[Folder]) -> Folder | None:
    return next((each for each in folders if str(each.pk) == text and is_target(each)), None)


def _query(request: HttpRequest) -> str:
    """The filters of the list that the form was on."""
    accounts = browse.accounts_of(request.user)
    return Filters.read(request.GET, accounts=accounts, folders=browse.folders_of(accounts)).query


def _back(query: str, *, done: UUID | None = None) -> HttpResponse:
    parts = [query, f"done={done}" if done else ""]
    text = "&".join(filter(None, parts))
    return redirect(reverse("inbox") + (f"?{text}" if text else ""))
