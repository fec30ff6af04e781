"""Notes who, other than its owner, was shown what a message says."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from mailaccounts.models import Look

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailaccounts.models import Message

ONCE_IN = timedelta(hours=1)  # somebody who leafs back and forth looks once


def note(message: Message, *, viewer: Any, why: str) -> None:
    """Notes that ``viewer`` is shown what ``message`` says; ``why`` is where or what for, in words: "Read the
    conversation". Nothing is noted of an owner, nor twice within the hour."""
    note_all([message], viewer=viewer, why=why)


def note_all(messages: Iterable[Message], *, viewer: Any, why: str) -> None:
    """The same for many messages, whose accounts are loaded. Two queries, none when all are the viewer's own."""
    looked_at = {message.pk: message.account_id for message in messages if message.account.owner_id != viewer.pk}
    if not looked_at:
        return
    recent = Look.objects.filter(message__in=looked_at, viewer=viewer, why=why, at__gt=timezone.now() - ONCE_IN)
    for message_id in recent.values_list("message_id", flat=True):
        looked_at.pop(message_id or 0, None)
    Look.objects.bulk_create(
        Look(account_id=account_id, message_id=message_id, viewer=viewer, why=why)
        for message_id, account_id in looked_at.items()
    )
