"""Mailboxes of others, opened for a reason and a while: the form that opens one, its conversations, and ending it. The
conversations are shown by the same page as one's own (views.thread)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from mailaccounts import selectors
from mailaccounts.forms.break_glass import OpenForm
from mailaccounts.hooks import hooks
from mailaccounts.models import Message
from mailaccounts.services.inbox import browse
from mailaccounts.services.trail import break_glass, looks
from mailaccounts.views.access import private
from mailaccounts.views.thread import tell_people

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mailaccounts.views.access import Request

A_PAGE = 30


@private
@require_http_methods(["GET", "POST"])
def open_mail(request: Request, pk: int) -> HttpResponse:
    """Asks for the reason and the time; POSTed, opens the mailbox. On the way in the host may want to see the password
    of its own, so that nothing that was written is lost. 404 for whoever may not open it."""
    found = get_object_or_404(selectors.openable_by(request.user), pk=pk)
    if selectors.openings_by(request.user).filter(account=found).exists():
        return redirect("mailaccounts:opened", found.pk)
    if asked := hooks().reauthenticate(request):
        return asked
    form = OpenForm(request.POST or None, initial={"minutes": break_glass.spans()[0]})
    if form.is_bound and form.is_valid():
        break_glass.open_mail(found, viewer=request.user, **form.cleaned_data)
        return redirect("mailaccounts:opened", found.pk)
    return render(request, "mailaccounts/open_mail.html", {"account": found, "form": form})


@private
@require_GET
def opened(request: Request, pk: int) -> HttpResponse:
    """The conversations of an opened mailbox, newest first, with the subject and who wrote last. Leads to the form
    once the time is up; 404 for whoever may not open it."""
    found = get_object_or_404(selectors.openable_by(request.user), pk=pk)
    opening = selectors.openings_by(request.user).filter(account=found).select_related("account").first()
    if opening is None:
        return redirect("mailaccounts:open_mail", found.pk)
    looks.note_list(opening)
    below = browse.Place.read(request.GET.get("below", ""))
    page = browse.newest(browse.Wanted(accounts=[found.pk]), below=below, count=A_PAGE)
    context = {"account": found, "opening": opening, "page": page, "first": below is None}
    context["rows"] = _rows(page, request.user)
    return render(request, "mailaccounts/opened.html", context)


@private
@require_POST
def close_mail(request: Request, pk: int) -> HttpResponse:
    """Ends it before the time is up."""
    opening = get_object_or_404(selectors.openings_by(request.user).select_related("account"), account=pk)
    break_glass.end([opening], actor=request.user)
    messages.success(request, f"The mail of {opening.account.address} is closed to you again.")
    return redirect("mailaccounts:open_mail", pk)


def _rows(page: browse.Page, user: Any) -> list[tuple[Any, Any]]:
    """Each conversation with its newest message, of which only what a list shows is read."""
    newest = Message.objects.filter(pk__in=page.newest.values()).prefetch_related("participants")
    shown = {message.pk: message for message in newest.only("pk", "subject", "message_id", "received_at")}
    tell_people(list(shown.values()), user)
    rows = ((thread, shown.get(page.newest.get(thread.pk, 0))) for thread in page.threads)
    return [(thread, message) for thread, message in rows if message]
