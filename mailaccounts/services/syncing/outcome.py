"""How an account is doing after a sync: judged by what worked or didn't, never by a guess."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from mailaccounts.conf import settings
from mailaccounts.errors import (
    AdminApprovalNeeded,
    LeaseLost,
    MailAccountsError,
    MailboxNotConnected,
    OAuthError,
    PermissionMissing,
    PutOff,
    Remedy,
)
from mailaccounts.models import (
    NEEDS_SOMEBODY,
    AccountStatus,
    AuditAction,
    Credential,
    CredentialState,
    MailAccount,
)
from mailaccounts.queue import Job, enqueue
from mailaccounts.rules.backoff import next_delay, put_off_delay
from mailaccounts.rules.interval import next_interval
from mailaccounts.services.limits import lease
from mailaccounts.services.registering.tenant_state import doubt
from mailaccounts.services.telling import events
from mailaccounts.services.trail.audit import note

if TYPE_CHECKING:
    from uuid import UUID

    from mailaccounts.services.limits.lease import Lease

WELL = Q(status=AccountStatus.OK, status_code="", status_message="")
CONFIRMATIONS = 2  # Exchange says "not connected" for faults of its own too

_STATUS = {
    Remedy.RECONNECT: AccountStatus.NEEDS_OWNER,
    Remedy.FIX_INPUT: AccountStatus.NEEDS_OWNER,
    Remedy.ASK_ADMIN: AccountStatus.NEEDS_ADMIN,
}


def active_credential_id(account: MailAccount) -> UUID | None:
    """Which credential the account signs in with now."""
    active = Credential.objects.filter(account=account, state=CredentialState.ACTIVE)
    return active.values_list("pk", flat=True).first()


def record_success(held: Lease, account: MailAccount, *, finished: bool) -> AccountStatus:
    """The sync of ``account``, as it was when the lease was taken, went well; ``finished`` when it also got through.
    Lets go of the lease; LeaseLost when it was lost.

    An account that was well and that nobody has touched since, which is nearly every one, takes a single UPDATE.
    """
    now = timezone.now()
    changes: dict[str, Any] = {
        "next_sync_at": next_turn(account, now) if finished else now,
        "failures": 0,
        "last_sync_at": now,
        "notice_due": False,
    }
    if finished:
        changes["clean_syncs"] = F("clean_syncs") + 1
    untouched = WELL & Q(next_sync_at__gt=now, watcher=account.watcher)
    if account.status == AccountStatus.OK and lease.release(held, state=untouched, **changes):
        return AccountStatus.OK
    with transaction.atomic():
        before = lease.lock(held)
        if before is None:
            raise LeaseLost(address=held.address)
        changes["next_sync_at"] = next_turn(before, now) if finished else now
        if finished and before.next_sync_at is not None and before.next_sync_at <= now:
            changes["next_sync_at"] = now  # somebody asked meanwhile, when what they want may have been gone through
            enqueue(Job.SYNC, before.pk)
        return _conclude(before, held, status=AccountStatus.OK, changes=changes)


def record_failure(held: Lease, error: MailAccountsError, *, credential_id: UUID | None) -> AccountStatus | None:
    """The sync failed. Trouble that passes backs off and never disables; a refused credential waits for its owner,
    who is told once. An account that was put off has not failed. Lets go of the lease; None when it was lost.

    ``credential_id`` is the one the sync signed in with: when the owner has replaced it meanwhile, its refusal says
    nothing about the new one.
    """
    with transaction.atomic():
        before = lease.lock(held)
        if before is None:
            return None
        if active_credential_id(before) != credential_id:
            status = AccountStatus(before.status)
            return _conclude(before, held, status=status, changes={"next_sync_at": timezone.now()})
        if isinstance(error, (PermissionMissing, AdminApprovalNeeded)):
            doubt(credential_id)
        if isinstance(error, PutOff):
            status, code, message = _judge(error, before, failures=before.failures)
            turn = timezone.now() + timedelta(seconds=put_off_delay(error.retry_after))
            return _conclude(before, held, status=status, code=code, message=message, changes={"next_sync_at": turn})
        failures = before.failures + 1
        status, code, message = _judge(error, before, failures=failures)
        next_sync_at: datetime | None = None
        if status != AccountStatus.NEEDS_OWNER:
            asked = getattr(error, "retry_after", None)
            delay = next_delay(failures, retry_after=asked)
            next_sync_at = timezone.now() + timedelta(seconds=delay)
        changes: dict[str, Any] = {"next_sync_at": next_sync_at, "failures": failures, "clean_syncs": 0}
        if status in NEEDS_SOMEBODY and before.status not in NEEDS_SOMEBODY:
            changes |= {"notice_due": True, "incident": F("incident") + 1}
            enqueue(Job.NOTIFY, before.pk)
        if status in NEEDS_SOMEBODY and code != before.status_code and isinstance(error, OAuthError):
            note(AuditAction.REFRESH_FAILED, before, code=code)
        return _conclude(before, held, status=status, code=code, message=message, changes=changes)


def next_turn(account: MailAccount, now: datetime) -> datetime:
    """When an account that all is well with has its next turn."""
    interval = next_interval(
        quiet=(now - (account.last_mail_at or account.created_at)).total_seconds(),
        watched=bool(account.watcher),  # of one that is lost the tick lets go (watch_claims)
        shortest=settings.sync_interval,
        longest=settings.sync_interval_max,
    )
    return now + timedelta(seconds=interval)


def _judge(error: MailAccountsError, before: MailAccount, *, failures: int) -> tuple[AccountStatus, str, str]:
    """What the failure makes of the account: status, code, message. One that waits for somebody goes on waiting for
    them, whatever trouble that passes comes on top: only a success ends that."""
    status = _STATUS.get(error.remedy, AccountStatus.WAITING)
    if isinstance(error, MailboxNotConnected) and failures <= CONFIRMATIONS:
        status = AccountStatus.WAITING
    if status == AccountStatus.WAITING and before.status in NEEDS_SOMEBODY:
        return AccountStatus(before.status), before.status_code, before.status_message
    return status, error.code, error.message


def _conclude(
    before: MailAccount,
    held: Lease,
    *,
    status: AccountStatus,
    changes: dict[str, Any],
    code: str = "",
    message: str = "",
) -> AccountStatus:
    """Writes the outcome and releases the lease in one UPDATE."""
    lease.release(held, status=status, status_code=code, status_message=message, **changes)
    if (before.status, before.status_code) != (status, code):
        events.status_changed(before.pk, status=str(status), code=code)
    return status
