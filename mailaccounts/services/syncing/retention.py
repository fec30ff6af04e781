"""Erases mail that is older than its owner wants it kept: after each sync, and once a day where none runs any more."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from mailaccounts.conf import settings
from mailaccounts.models import AuditAction, Folder, MailAccount, Message, Outgoing, OutgoingState
from mailaccounts.queue import Job, enqueue
from mailaccounts.services.storing import cursors, removal
from mailaccounts.services.syncing.due import sync_soon
from mailaccounts.services.trail import audit

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet


def keep(account: MailAccount, *, days: int | None, looks_back: bool, actor: Any) -> None:
    """Keeps the account's mail for so many days, None for good; and has it look through mail of the past for people
    who become known, or not. When more is kept than before, the mailbox is gone through again."""
    before, changed = account.keep_days, days != account.keep_days
    account.keep_days, account.looks_back = days, looks_back
    with transaction.atomic():
        account.save(update_fields=["keep_days", "looks_back"])
        if changed:
            audit.note(AuditAction.KEEPING, account, actor=actor, days=days)
        if changed and (days is None or days > (before or days)):
            _read_again(account)
        if days:
            enqueue(Job.KEEP, account.pk)


def older(account: MailAccount, *, days: int) -> int:
    """How many stored messages of the account wouldn't be kept for ``days``."""
    return _before(account, timezone.now() - timedelta(days=days)).count()


def erase_old(account_id: int, *, seconds: float | None = None) -> bool:
    """Erases as much as ``seconds`` allow (a sync's time, unless told) of what isn't to be kept; whether nothing is
    left. Not while a worker has the account, whose next sync does it."""
    until = time.monotonic() + (settings.sync_budget if seconds is None else seconds)
    while True:
        with transaction.atomic():
            account = removal.lock(account_id)
            horizon = account.horizon if account else None
            if account is None or horizon is None:
                return True
            left = removal.remove(_before(account, horizon)) == removal.MESSAGES
            if not left:
                sent = Outgoing.objects.filter(account=account, state=OutgoingState.SENT, sent_at__lt=horizon)
                sent.only("pk").delete()
                return True
        if time.monotonic() > until:
            return False


def erase_due() -> None:
    """Sees to every account whose mail isn't kept for good; what takes long gets a job of its own."""
    until = time.monotonic() + settings.sync_budget / 2
    for account_id in MailAccount.objects.filter(keep_days__isnull=False).values_list("pk", flat=True):
        left = until - time.monotonic()
        if left <= 0 or not erase_old(account_id, seconds=left):
            enqueue(Job.KEEP, account_id)


def _read_again(account: MailAccount) -> None:
    """What was too old may be wanted now. A sync under way loses its lease."""
    MailAccount.objects.filter(pk=account.pk).update(lease_owner="", lease_until=None, stage="")
    Folder.objects.filter(account=account, history_until__gt=0).update(**cursors.all_again())
    sync_soon(account)


def _before(account: MailAccount, horizon: datetime) -> QuerySet[Message]:
    return Message.objects.filter(account=account, received_at__lt=horizon).order_by("received_at")
