"""Goes on with migrations that were left behind: their worker or browser was lost, or trouble has to pass."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from mailaccounts.errors import AccountChanged, MailAccountsError
from mailaccounts.models import AccountStatus, MigrationStep
from mailaccounts.queue import Job, enqueue
from mailaccounts.rules.migration_states import UNDER_WAY, MigrationState
from mailaccounts.services.moving import migrate, steps

if TYPE_CHECKING:
    from mailaccounts.models import MailAccount

logger = logging.getLogger(__name__)

AT_ONCE = 100


def resume_due() -> int:
    """Queues every account whose step nobody is at; returns how many. Those of a paused run wait.

    Moving ``next_at`` in the same transaction keeps a second tick from queueing an account again.
    """
    _close_steps_of_the_gone()
    now = timezone.now()
    with transaction.atomic():
        due = MigrationStep.objects.filter(
            state__in=migrate.BUSY, next_at__lte=now, account__isnull=False, run__paused_at=None
        )
        found = due.select_for_update(skip_locked=True, of=("self",)).order_by("next_at")[:AT_ONCE]
        accounts = {step.pk: step.account_id for step in found}
        MigrationStep.objects.filter(pk__in=accounts).update(next_at=now + migrate.AT_IT)
        for account_id in accounts.values():
            if account_id is not None:
                enqueue(Job.MOVE, account_id)
    return len(accounts)


def go_on(account: MailAccount | int) -> None:
    """Goes on with the account's step, if it is at one. What stops it is noted, and waits for its time or owner."""
    step = steps.under_way(account)
    if step is None:
        return
    try:
        migrate.go_on(step)
    except MailAccountsError as error:
        logger.info("account %s: its migration stopped: %s", step.account_id, error.code)


def _close_steps_of_the_gone() -> None:
    """Mailboxes that were disconnected don't move any more, whether their mail is kept or not."""
    gone = Q(account=None) | Q(account__status=AccountStatus.DISCONNECTED)
    for step in MigrationStep.objects.filter(gone, state__in=UNDER_WAY):
        error = AccountChanged(address=step.address)
        steps.advance(step, MigrationState.CANCELLED, **steps.trouble(error), next_at=None)
