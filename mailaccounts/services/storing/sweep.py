"""Deletes messages that have been gone from their mailbox for so long that they won't turn up in another folder.

A server that errs, or a mailbox that is being restored, must not cost what is stored: nothing is deleted of an account
that isn't in good order, little at once, and more than half of its mail only once many syncs have seen no more of it.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from mailaccounts.conf import settings
from mailaccounts.models import AccountStatus, Message
from mailaccounts.services.storing import removal

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

ACCOUNTS = 100  # in one run
CLEAN_SYNCS = 2  # in a row before anything is deleted
CONFIRMATIONS = 20  # clean syncs in a row before more than half of an account's mail is
FEW = 20  # messages that are never too many

logger = logging.getLogger(__name__)


def sweep() -> int:
    """Deletes what has been gone for ``expunged_days``; returns how many messages that were."""
    cutoff = timezone.now() - timedelta(days=settings.expunged_days)
    due = _gone_before(cutoff).filter(
        account__status=AccountStatus.OK, account__clean_syncs__gte=CLEAN_SYNCS, account__last_sync_at__gt=cutoff
    )
    counted = due.values("account").annotate(count=Count("pk")).order_by("-count").values_list("account", "count")
    return sum(_sweep(account_id, gone, cutoff) for account_id, gone in counted[:ACCOUNTS])


def _sweep(account_id: int, gone: int, cutoff: datetime) -> int:
    with transaction.atomic():
        # A sync under way may just have found one of them elsewhere, and goes first.
        account = removal.lock(account_id)
        if account is None:
            return 0
        stored = Message.objects.filter(account=account).count()
        if gone > FEW and gone * 2 > stored and account.clean_syncs < CONFIRMATIONS:
            logger.warning("account %d: %d of %d messages are gone; not deleted yet", account_id, gone, stored)
            return 0
        return removal.remove(_gone_before(cutoff).filter(account=account).order_by("gone_since"))


def _gone_before(cutoff: datetime) -> QuerySet[Message]:
    return Message.objects.filter(gone_since__lt=cutoff)
