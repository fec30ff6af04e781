"""Compares some mailboxes every day, those first that weren't for the longest time: what a sync leaves out by a fault
of ours must not stay out unnoticed."""

from __future__ import annotations

import logging

from django.db.models import F

from mailaccounts.conf import settings
from mailaccounts.models import AccountStatus, MailAccount
from mailaccounts.queue import Job, enqueue
from mailaccounts.services.checking.compare import compare_account
from mailaccounts.services.syncing.sync import sync_account

logger = logging.getLogger(__name__)


def enqueue_sample() -> int:
    """Queues ``compared_daily`` accounts that are up to date; returns how many there are."""
    rows = MailAccount.objects.filter(status=AccountStatus.OK, paused_at__isnull=True).order_by(
        F("compared_at").asc(nulls_first=True), "pk"
    )
    ids = list(rows.values_list("pk", flat=True)[: settings.compared_daily])
    for account_id in ids:
        enqueue(Job.COMPARE, account_id)
    return len(ids)


def compare(account_id: int) -> None:
    """Compares an account right after a sync, so that what has just arrived isn't taken for missing. One that can't be
    brought up to date has trouble of another kind, and its turn tomorrow."""
    try:
        report = sync_account(account_id)
        if report.error is not None or not report.finished:
            return
        result = compare_account(account_id)
    except MailAccount.DoesNotExist:
        return
    if result.error is not None:
        logger.warning("account %d: not compared: %s", account_id, result.error.code)
    elif not result.agrees:
        logger.error(
            "account %d: of %d messages, %d missing and %d stored twice; audit_mailboxes --repair sets that right",
            account_id,
            result.expected,
            result.missing_count,
            len(result.doubled),
        )
