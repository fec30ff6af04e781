"""Tells the host about stored messages: after the commit, at least once each."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.db import transaction

from mailaccounts.models import Message
from mailaccounts.services.telling import webhook
from mailaccounts.signals import message_stored

if TYPE_CHECKING:
    from django.db.models import OuterRef, QuerySet

BATCH = 200

logger = logging.getLogger(__name__)


def announce(account_id: int) -> int:
    """Sends ``message_stored`` for every message not announced yet; returns how many were.

    One whose receiver raises stays unannounced, and its turn comes again at the account's next sync: a worker that was
    lost after its commit leaves nothing out.
    """
    told, last = 0, 0
    while batch := _next_batch(account_id, after=last):
        last = batch[-1]
        done = batch if _tell(account_id, batch) else [each for each in batch if _tell(account_id, [each])]
        with transaction.atomic():
            Message.objects.filter(pk__in=done).update(announced=True)
            if done:
                webhook.note("message.stored", account_id=account_id, message_ids=done)
        told += len(done)
    return told


def unannounced(account_id: int | OuterRef) -> QuerySet[Message]:
    """The messages of an account whose turn that still is."""
    return Message.objects.filter(account_id=account_id, announced=False)


def _next_batch(account_id: int, *, after: int) -> list[int]:
    rows = unannounced(account_id).filter(pk__gt=after).order_by("pk")
    return list(rows.values_list("pk", flat=True)[:BATCH])


def _tell(account_id: int, message_ids: list[int]) -> bool:
    answers = message_stored.send_robust(Message, message_ids=message_ids, account_id=account_id)
    failures = [(receiver, answer) for receiver, answer in answers if isinstance(answer, Exception)]
    for receiver, error in failures:
        name = getattr(receiver, "__qualname__", type(receiver).__name__)
        told = f"message {message_ids[0]}" if len(message_ids) == 1 else f"{len(message_ids)} messages"
        logger.error("receiver %s failed on %s: %s", name, told, type(error).__name__)
    return not failures
