"""What workers do for campaigns: begin with what was started, and take back what shall go back.

A step that was started is CHOSEN with ``next_at``; any number of workers may find it, and one of them gets it on.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from mailaccounts.errors import AccountBusy, AccountChanged, MailAccountsError, Remedy, WayBackGone
from mailaccounts.models import Grant, MigrationStep
from mailaccounts.queue import Job, enqueue
from mailaccounts.rules.backoff import next_delay
from mailaccounts.rules.migration_states import MigrationState
from mailaccounts.services.campaigns import invitations, readiness
from mailaccounts.services.campaigns.campaign import WAY_BACK
from mailaccounts.services.campaigns.own_name import own_name
from mailaccounts.services.campaigns.readiness import Way
from mailaccounts.services.moving import migrate, rollback, steps
from mailaccounts.services.organisations import apponly
from mailaccounts.services.signing_in.credentials import lock

if TYPE_CHECKING:
    from mailaccounts.services.campaigns.readiness import Readiness

AT_ONCE = 200
STARTED = Q(state=MigrationState.CHOSEN, run__paused_at=None)  # with ``next_at``
GOING_BACK = Q(state=MigrationState.SWITCHED, code=WAY_BACK)

logger = logging.getLogger(__name__)


def enqueue_due() -> int:
    """Queues every account whose step was started, or shall go back, and that nobody is at; returns how many.

    Moving ``next_at`` in the same transaction keeps a second worker from queueing an account again.
    """
    now = timezone.now()
    due = MigrationStep.objects.filter(STARTED | GOING_BACK, next_at__lte=now, account__isnull=False)
    with transaction.atomic():
        found = list(due.select_for_update(skip_locked=True, of=("self",)).order_by("next_at")[:AT_ONCE])
        MigrationStep.objects.filter(pk__in=[step.pk for step in found]).update(next_at=now + migrate.AT_IT)
        for step in found:
            if step.account_id is not None:
                enqueue(Job.CAMPAIGN_STEP, step.account_id)
    if len(found) == AT_ONCE:
        enqueue(Job.CAMPAIGNS)  # the next ones
    return len(found)


def work_on(account_id: int) -> None:
    """Takes the account's step on, or back. What stops it is noted."""
    found = MigrationStep.objects.filter(STARTED | GOING_BACK, account=account_id, next_at__isnull=False)
    step = found.select_related("account__owner", "run__client", "taken_back_by").order_by("next_at").first()
    if step is None:
        return
    try:
        if step.state == MigrationState.SWITCHED:
            take_back(step, actor=step.taken_back_by)
        else:
            begin(step)
    except MailAccountsError as error:
        logger.info("account %s: its campaign step stopped: %s", account_id, error.code)


def begin(step: MigrationStep, *, actor: Any = None) -> None:
    """Takes a step that is CHOSEN as far as it gets without the owner: moved where the organisation lets us in, else
    its owner invited. Raises what stopped it, once that is noted.
    """
    try:
        found = _ready(step)
        if found.way is Way.CANNOT and found.trouble:
            raise found.trouble
        if found.way is Way.OWNER:
            invitations.invite(step)
            return
        _move(step, found)
    except MailAccountsError as error:
        _stopped(step, error)
        raise
    migrate.go_on(step, actor=actor)  # which notes by itself what stops it


def take_back(step: MigrationStep, *, actor: Any = None) -> None:
    """Goes back to what the account signed in with before. Raises what stopped it, once that is noted."""
    try:
        if step.account is None or step != _last_move(step):
            raise WayBackGone(address=step.address)
        rollback.roll_back(step.account, actor=actor)
    except MailAccountsError as error:
        marked = MigrationStep.objects.filter(pk=step.pk, state=MigrationState.SWITCHED, code=WAY_BACK)
        if error.remedy is Remedy.WAIT:
            marked.update(attempts=step.attempts + 1, next_at=_later(step, error))
        else:
            marked.update(**steps.trouble(error), next_at=None)
        raise


def _last_move(step: MigrationStep) -> MigrationStep | None:
    """What is kept for going back belongs to the account's last move."""
    moved = MigrationStep.objects.filter(account=step.account_id, state=MigrationState.SWITCHED)
    return moved.order_by("-switched_at").first()


def _ready(step: MigrationStep) -> Readiness:
    if step.account is None:
        raise AccountChanged(address=step.address)
    without_owner = step.run.to == apponly.backend_slug() and not step.after
    return readiness.judge([step.account], app_only=without_owner, client=step.run.client, step=step.pk)[0]


def _move(step: MigrationStep, found: Readiness) -> None:
    """Stores what the account shall sign in with instead of its owner's consent.

    AccountBusy when another worker is at it by now, or when the last account that had the organisation's grant lets go
    of it this very moment: the next try gets a new one.
    """
    new = own_name(found.account, found.client or step.run.client, tenant=found.tenant)
    with transaction.atomic():
        lock(found.account)
        step.refresh_from_db()
        granted = Grant.objects.select_for_update(of=("self",)).filter(pk=new.grant.pk)
        if step.state != MigrationState.CHOSEN or not granted.exists():
            raise AccountBusy(address=step.address)
        migrate.store_pending(step, new)


def _stopped(step: MigrationStep, error: MailAccountsError) -> None:
    """Trouble that passes leaves the step where it is, to be tried again; anything else ends this try."""
    step.refresh_from_db()
    if step.state != MigrationState.CHOSEN:
        return
    if error.remedy is not Remedy.WAIT:
        steps.fail(step, error)
        return
    MigrationStep.objects.filter(pk=step.pk, state=MigrationState.CHOSEN).update(
        **steps.trouble(error), attempts=step.attempts + 1, next_at=_later(step, error)
    )
    step.refresh_from_db()


def _later(step: MigrationStep, error: MailAccountsError) -> Any:
    delay = next_delay(step.attempts + 1, retry_after=getattr(error, "retry_after", None))
    return timezone.now() + timedelta(seconds=delay)
