"""The first sync of an account begins when its owner has said how far back mail is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from mailaccounts.models import MailAccount, Preview
from mailaccounts.queue import Job, enqueue
from mailaccounts.services.limits.lease import WAITING

if TYPE_CHECKING:
    from datetime import date


def begin(account: MailAccount, *, since: date | None) -> bool:
    """Queues the first sync, of mail since ``since`` (None: all there is). False when it has begun already, or the
    account is disconnected. A preview that is being counted loses its lease and stops."""
    with transaction.atomic():
        begun = MailAccount.objects.filter(WAITING, pk=account.pk).update(
            begun=True, since=since, next_sync_at=timezone.now(), lease_owner="", lease_until=None, stage=""
        )
        if begun:
            Preview.objects.filter(account=account).delete()
            enqueue(Job.SYNC, account.pk)
    return bool(begun)
