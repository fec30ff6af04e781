"""A conversation: its messages as far as the user may see them, newest last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator
from django.db.models import BooleanField, Q
from django.db.models.expressions import ExpressionWrapper
from django.db.models.functions import Left, Length
from django.http import Http404
from django.shortcuts import render
from django.views.decorators.http import require_GET

from mailaccounts import selectors
from mailaccounts.hooks import hooks
from mailaccounts.mail.invitation import read_invitation
from mailaccounts.mail.pictures import PICTURE_TYPES
from mailaccounts.mail.quotes import passages
from mailaccounts.models import Role
from mailaccounts.selectors import Access
from mailaccounts.services.trail import looks
from mailaccounts.views.access import private

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import HttpResponse

    from mailaccounts.models import Message
    from mailaccounts.views.access import Request

A_PAGE = 25
TEXT_SHOWN = 100_000  # characters of one message
SNIPPET = 160
A_LINE = 90  # characters
HEIGHTS = ((12, "short"), (40, "medium"))  # lines up to which a frame is that high


@private
@require_GET
def thread(request: Request, pk: int) -> HttpResponse:
    """The conversation, of which the user may know at least one message; 404 otherwise. ``opening`` is what lets them
    look at it, where the owner doesn't."""
    found = (
        selectors.messages_for(request.user, opened=True)
        .filter(thread=pk)
        .select_related("account", "thread")
        .prefetch_related(selectors.Sight.within(request.user).participants(), "attachments")
        .defer("body_text", "body_html", "calendar", "references")
        .order_by("-received_at", "-pk")
    )
    page = Paginator(found, A_PAGE).get_page(request.GET.get("page"))
    shown: list[Any] = list(reversed(page.object_list))
    if not shown:
        raise Http404
    access = selectors.access_to(shown, request.user)
    for message in shown:
        message.access = access.get(message.pk, Access.SUBJECT)
        message.own = message.access == Access.OWN
        message.can_read = message.access >= Access.OPENED
        message.can_answer = message.access >= Access.READ
    tell_people(shown, request.user)
    _tell_elsewhere(shown, request.user)
    _tell_text([each for each in shown if each.can_read], request.user)
    looks.note_all([each for each in shown if each.can_read], viewer=request.user, why="Read the conversation")
    context = {
        "subject": _subject(shown),
        "page": page,
        "letters": shown,
        "newest": shown[-1] if page.number == 1 else None,
        "own": shown[-1].own,
        "opened": "as-it-is" not in request.GET,
        "opening": selectors.openings_by(request.user).filter(account=shown[0].account).first(),
    }
    return render(request, "mailaccounts/thread.html", context)


def _subject(messages: Sequence[Any]) -> str:
    """What the conversation is about; to somebody else than its owner, as the messages tell that they may know of."""
    first: Message = messages[0]
    return first.thread.subject if all(each.own for each in messages) else first.subject


def tell_people(messages: Sequence[Any], user: Any) -> None:
    """Gives each message its ``sender``, a participant or None, and its ``recipients``, each with ``called``."""
    people = [each for message in messages for each in message.participants.all()]
    names = hooks().names_of(user, {each.address for each in people})
    for each in people:
        each.called = names.get(each.address) or each.name or each.address
    for message in messages:
        by_role = {Role(role): [each for each in message.participants.all() if each.role == role] for role in Role}
        message.sender = next(iter(by_role[Role.FROM] or by_role[Role.SENDER]), None)
        message.recipients = by_role[Role.TO] + by_role[Role.CC] + by_role[Role.BCC]


def _tell_elsewhere(messages: Sequence[Any], user: Any) -> None:
    """Gives each message ``elsewhere``: the same one in other mailboxes that the user may know of. One query."""
    copies = selectors.copies_of(messages, user)
    for message in messages:
        message.elsewhere = [each for each in copies.get(message.fingerprint, []) if each.pk != message.pk]


def _tell_text(messages: Sequence[Any], user: Any) -> None:
    """Gives each message what it says. One query, which reads no more of it than the page shows."""
    rows = (
        selectors.readable_by(user, opened=True)
        .filter(pk__in=[each.pk for each in messages])
        .annotate(
            beginning=Left("body_text", TEXT_SHOWN),
            length=Length("body_text"),
            html=Length("body_html"),
            remote=ExpressionWrapper(Q(body_html__contains='data-src="http'), output_field=BooleanField()),
        )
        .values_list("pk", "beginning", "length", "html", "remote", "calendar")
    )
    said = {pk: values for pk, *values in rows}
    for message in messages:
        text, length, html, message.has_remote, calendar = said.get(message.pk, ("", 0, 0, False, ""))
        message.has_html = bool(html)
        message.snippet = " ".join(text[:SNIPPET].split())
        message.passages = passages(text)
        message.cut = message.truncated or length > TEXT_SHOWN
        message.height = _height(text)
        message.invitation = read_invitation(calendar) if calendar else None
        message.files = [each for each in message.attachments.all() if not (each.inline and html)]
        for file in message.files:
            file.may_be_picture = file.content_type in PICTURE_TYPES


def _height(text: str) -> str:
    lines = sum(1 + len(line) // A_LINE for line in text.split("\n"))
    return next((name for most, name in HEIGHTS if lines <= most), "long")
