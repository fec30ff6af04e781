"""How far back an account's mail is brought in: its owner's choice, which can reach further back later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Q

from mailaccounts.models import MailAccount
from mailaccounts.services.limits.lease import CONNECTED
from mailaccounts.services.syncing.due import sync_soon

if TYPE_CHECKING:
    from datetime import date


def reach_back(account: MailAccount, since: date | None) -> bool:
    """Brings in mail since ``since`` (None: all there is) with the next sync, which is queued; what was examined is
    not examined again. False when that isn't further back than it reaches already."""
    further = Q(since__isnull=False) if since is None else Q(since__gt=since)
    if not MailAccount.objects.filter(CONNECTED, further, pk=account.pk).update(since=since):
        return False
    account.since = since
    sync_soon(account)
    return True
