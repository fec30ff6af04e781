"""Erases a disconnected account with all that was stored from it: batch by batch, so that nobody has to wait for it,
and whoever comes next goes on wherever it stopped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from mailaccounts.conf import settings
from mailaccounts.errors import LeaseLost
from mailaccounts.models import MailAccount, Message, Thread
from mailaccounts.selectors import receipts
from mailaccounts.services.limits import lease
from mailaccounts.services.trail import audit

if TYPE_CHECKING:
    from django.db.models import Model

    from mailaccounts.services.limits.lease import Lease

BATCH = 200  # messages in one transaction, with all that hangs on them, the host's rows included


def erase(account_id: int, *, seconds: float | None = None) -> bool:
    """Erases as much as ``seconds`` allow (a sync's time, unless told); whether nothing is left of the account.

    Does nothing unless the account is to be erased and no other worker is at it.
    """
    deadline = time.monotonic() + (settings.sync_budget if seconds is None else seconds)
    account = MailAccount.objects.filter(lease.BEING_ERASED, pk=account_id).first()
    held = lease.claim(account, state=lease.BEING_ERASED) if account else None
    if held is None:
        return not MailAccount.objects.filter(pk=account_id).exists()
    try:
        for model in (Message, Thread):
            while _erase_batch(model, held):
                if time.monotonic() > deadline:
                    lease.release(held, next_sync_at=timezone.now())
                    return False
        _erase_account(held)
    except LeaseLost:
        return False
    return True


def _erase_batch(model: type[Model], held: Lease) -> bool:
    """Erases the next rows of the account; False when there were none."""
    with transaction.atomic():
        lease.renew(held, stage="Erasing its mail…")
        rows = model._default_manager.filter(account=held.account_id)
        batch = list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH])
        rows.filter(pk__in=batch).only("pk").delete()  # and no body is read for it
        return bool(batch)


def _erase_account(held: Lease) -> None:
    """The account itself, which takes its folders along; its receipt says that it is done."""
    receipt = receipts().filter(account=held.account_id, facts__mail="erased").first()
    with transaction.atomic():
        lease.renew(held)
        if receipt:
            audit.follow_up(receipt, erased=True)
        MailAccount.objects.filter(pk=held.account_id).delete()
