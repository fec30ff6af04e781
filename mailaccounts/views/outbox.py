"""Drafts and the outbox: what is being written, and what became of what was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from mailaccounts import selectors
from mailaccounts.errors import MailAccountsError
from mailaccounts.models import Filing, OutgoingState
from mailaccounts.services.sending import drafts as writing
from mailaccounts.services.sending import outbox as post
from mailaccounts.views.access import private
from mailaccounts.views.parts import page_or_part

if TYPE_CHECKING:
    from typing import Any

    from django.http import HttpResponse

    from mailaccounts.models import Outgoing
    from mailaccounts.views.access import Request

A_PAGE = 30
ACTS = {  # what an author may decide, and what is said once it is
    "take_back": (post.take_back, "It is a draft again."),
    "again": (post.send_again, "It is on its way again."),
    "look": (post.look_again, "It is being looked for in Sent."),
    "was_sent": (post.was_sent, "It counts as sent."),
    "settle": (post.settle, "It is left at those who got it."),
    "discard": (writing.discard, "It is discarded."),
}


@private
@require_GET
def drafts(request: Request) -> HttpResponse:
    """What the user has begun to write, newest first."""
    found = _listed(request).filter(state=OutgoingState.DRAFT).order_by("-changed_at", "-pk")
    return render(request, "mailaccounts/drafts.html", {"page": _page(request, found)})


@private
@require_GET
def outbox(request: Request) -> HttpResponse:
    """What the user has sent, or wants to be: newest first; for htmx only the list, while something moves."""
    page = _page(request, _listed(request).exclude(state=OutgoingState.DRAFT).order_by("-queued_at", "-pk"))
    for each in page:
        each.not_filed = each.state == OutgoingState.SENT and each.filing == Filing.FAILED
    moving = any(_moves(each) for each in page)
    return page_or_part(request, "outbox", "outbox_list", {"page": page, "moving": moving})


@private
@require_POST
def outgoing(request: Request, pk: int) -> HttpResponse:
    """What its author decides about a message in the outbox."""
    found = get_object_or_404(_listed(request), pk=pk)
    act = request.POST.get("do", "")
    try:
        if act == "to_refused":
            return redirect("mailaccounts:draft", post.to_the_refused(found).pk)
        if act not in ACTS:
            raise Http404
        do, said = ACTS[act]
        do(found)
    except MailAccountsError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, said)
        if act == "take_back":
            return redirect("mailaccounts:draft", found.pk)
    return redirect("mailaccounts:outbox")


def _listed(request: Request) -> Any:
    return (
        selectors.outgoing_for(request.user)
        .select_related("account")
        .prefetch_related("recipients")
        .defer("raw", "body_text", "body_html")
    )


def _page(request: Request, found: Any) -> Any:
    page = Paginator(found, A_PAGE).get_page(request.GET.get("page"))
    for each in page:
        each.whom = _whom(each)
    return page


def _moves(message: Outgoing) -> bool:
    """Whether something becomes of it within the next moments."""
    is_next = message.state == OutgoingState.QUEUED or message.filing == Filing.DUE
    return message.state == OutgoingState.SENDING or (is_next and not message.failures and message.held_at is None)


def _whom(message: Outgoing) -> str:
    return ", ".join(each.name or each.address for each in message.recipients.all())
