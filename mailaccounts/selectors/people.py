"""What is stored because of a person, in whatever account: for operators and for erasing, and for pages a number."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from django.db.models import Prefetch, Q
from django.db.models.functions import Lower

from mailaccounts.hooks import hooks
from mailaccounts.models import Message, Outgoing, Participant, Recipient, Role
from mailaccounts.selectors.writing import files

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import QuerySet


def messages_about(address: str) -> QuerySet[Message]:
    """All that is stored because of a person, in whatever account: messages they take part in, however their address
    is written there, and the rest of those conversations; without what they say, and without whom else they went to
    unseen. For operators (``export_mail``), never for a page."""
    seen = Participant.objects.filter(~Q(role=Role.BCC) | hooks().written(address))
    return (
        Message.objects.filter(thread__in=messages_with([address]).values("thread"))
        .select_related("account")
        .prefetch_related(Prefetch("participants", seen), "attachments", "uids__folder")
        .defer("body_text", "body_html")
        .order_by("received_at", "pk")
    )


def messages_with(patterns: Iterable[str]) -> QuerySet[Message]:
    """The stored messages that any of ``patterns`` takes part in, in whatever account. As above; whoever may say what
    is stored about a person is told how many they are, and reads no more of them than others."""
    return Message.objects.filter(pk__in=taking_part(patterns).values("message"))


def taking_part(patterns: Iterable[str]) -> QuerySet[Participant]:
    """Who ``patterns``, addresses or ``@domain``, stand for, of those who take part in stored messages."""
    whom = map(hooks().written, patterns)
    return Participant.objects.order_by().filter(reduce(or_, whom, Q(pk__in=())))


def outgoing_to(address: str) -> QuerySet[Outgoing]:
    """What is being written to a person, or was, in whatever account; as above, and for operators as well.
    Each of ``enclosed`` has its ``size``, and not its bytes."""
    lower = Recipient.objects.annotate(lower=Lower("address"))
    seen = lower.filter(~Q(role=Role.BCC) | hooks().written(address, column="lower"))
    return (
        written_to([address])
        .select_related("account")
        .prefetch_related(Prefetch("recipients", seen), Prefetch("enclosed", files()))
        .defer("raw", "body_text", "body_html")
        .order_by("created_at", "pk")
    )


def written_to(patterns: Iterable[str]) -> QuerySet[Outgoing]:
    """What was written here to any of ``patterns``, addresses or ``@domain``."""
    whom = (hooks().written(each, column="lower") for each in patterns)
    theirs = Recipient.objects.annotate(lower=Lower("address")).filter(reduce(or_, whom, Q(pk__in=())))
    return Outgoing.objects.filter(pk__in=theirs.values("outgoing"))
