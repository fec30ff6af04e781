"""Notes who, other than its owner, was shown what a message says."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError
from django.db.models import Q
from django.utils import timezone

from mailaccounts import selectors
from mailaccounts.models import LISTED, Look, Message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailaccounts.models import BreakGlass

ONCE_IN = timedelta(hours=1)  # somebody who leafs back and forth looks once


def note(message: Message, *, viewer: Any, why: str) -> None:
    """Notes that ``viewer`` is shown what ``message`` says; ``why`` is where or what for, in words: "Read the
    conversation". Nothing is noted of an owner, nor twice within the hour, or while they have the mailbox opened."""
    note_all([message], viewer=viewer, why=why)


def note_all(messages: Iterable[Message], *, viewer: Any, why: str) -> None:
    """The same for many messages, whose accounts are loaded. Two queries, none when all are the viewer's own; one more
    for staff. What is looked at in an opened mailbox goes with that opening, whatever its owner shares anyway."""
    looked_at = {message.pk: message.account_id for message in messages if message.account.owner_id != viewer.pk}
    if not looked_at:
        return
    openings = selectors.openings_by(viewer).filter(account__in=looked_at.values())
    opened = dict(openings.values_list("account_id", "pk"))
    recent = Q(opened=None, at__gt=timezone.now() - ONCE_IN) | Q(opened__in=opened.values())
    noted = Look.objects.filter(recent, message__in=looked_at, viewer=viewer, why=why)
    for message_id, opening in noted.values_list("message_id", "opened"):
        if opening == opened.get(looked_at.get(message_id or 0, 0)):
            looked_at.pop(message_id or 0, None)
    rows = [
        Look(account_id=account_id, message_id=message_id, viewer=viewer, why=why, opened_id=opened.get(account_id))
        for message_id, account_id in looked_at.items()
    ]
    try:
        Look.objects.bulk_create(rows)
    except IntegrityError:  # some are erased by now; that they were looked at is noted all the same
        there = set(Message.objects.filter(pk__in=looked_at).values_list("pk", flat=True))
        for row in rows:
            row.pk, row.message_id = None, row.message_id if row.message_id in there else None
        Look.objects.bulk_create(rows)


def note_list(opening: BreakGlass) -> None:
    """Notes that whoever opened a mailbox sees the list of its conversations; once."""
    once = {"opened": opening, "why": LISTED}
    if not Look.objects.filter(**once).exists():
        Look.objects.create(account_id=opening.account_id, viewer_id=opening.viewer_id, **once)
