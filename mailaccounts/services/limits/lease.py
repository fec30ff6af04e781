"""One worker per account at a time.

A worker that dies lets go by falling silent: its lease runs out. One that is merely slow keeps its account as long as
nobody else has claimed it, and learns at its next write when somebody has.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import OperationalError, connection
from django.db.models import Q

from mailaccounts.conf import settings
from mailaccounts.errors import LeaseLost
from mailaccounts.models import ERASING, HANDING_OVER, AccountStatus, MailAccount
from mailaccounts.rules.backoff import next_delay
from mailaccounts.services.limits import claims

if TYPE_CHECKING:
    from django.db.models import QuerySet

FREE = Q(lease_owner="") | claims.free("lease_until")
CONNECTED = ~Q(status=AccountStatus.DISCONNECTED)
WAITING = CONNECTED & Q(begun=False)  # for its owner to say how far back mail is wanted
PAUSED = CONNECTED & Q(paused_at__isnull=False)
AT_WORK = CONNECTED & Q(begun=True, paused_at__isnull=True)
BEING_ERASED = Q(status=AccountStatus.DISCONNECTED, status_code=ERASING)
BEING_HANDED_OVER = Q(status=AccountStatus.DISCONNECTED, status_code=HANDING_OVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to work on an account; ``token`` is this worker's and nobody else's."""

    account_id: int
    address: str
    token: str


def claim(account: MailAccount, *, state: Q = CONNECTED, stage: str = "") -> Lease | None:
    """Takes the account for what ``stage`` calls it, or gives None when another worker has it or it isn't in ``state``
    any more.

    Should this worker be lost, the account is due again as soon as its lease has run out. One that loses worker after
    worker, by what is in its mail perhaps, has to wait longer each time: taking over from a lost worker counts as a
    failure.
    """
    lease = Lease(account_id=account.pk, address=account.address, token=secrets.token_hex(16))
    failures = account.failures + bool(account.lease_owner)
    pause = next_delay(failures) if account.lease_owner else 0
    taken = MailAccount.objects.filter(FREE, state, pk=account.pk).update(
        lease_owner=lease.token,
        lease_until=claims.lasting(settings.lease_seconds),
        next_sync_at=claims.lasting(settings.lease_seconds + pause),
        failures=failures,
        stage=stage,
    )
    if not taken:
        return None
    account.failures = failures
    return lease


def renew(lease: Lease, **changes: Any) -> None:
    """Extends the lease, with ``changes`` to the account in the same UPDATE; LeaseLost when it is another's.

    Inside a transaction this also locks the account's row: whatever is written after it is written by its holder.
    """
    if not _held(lease).update(lease_until=claims.lasting(settings.lease_seconds), **changes):
        raise LeaseLost(address=lease.address)


def insist(lease: Lease) -> None:
    """LeaseLost when the account is another's by now, or nobody's since it was disconnected: whatever is about to be
    asked of its mail server isn't."""
    if not _held(lease).exists():
        raise LeaseLost(address=lease.address)


def lock(lease: Lease) -> MailAccount | None:
    """The account as it stands, locked until the transaction ends; None when it is another's."""
    return _held(lease).select_for_update().first()


def release(lease: Lease, *, state: Q | None = None, **changes: Any) -> bool:
    """Lets go, with ``changes`` to the account in the same UPDATE; False, and nothing changed, when it was lost, or
    isn't in ``state``."""
    held = _held(lease) if state is None else _held(lease).filter(state)
    columns = {"lease_owner": "", "lease_until": None, "stage": "", **changes}
    try:
        return bool(held.update(**columns))
    except OperationalError:
        if connection.in_atomic_block:
            raise
        connection.close()  # Ctrl-C in the middle of a query leaves a connection that takes no other
        return bool(held.update(**columns))


def _held(lease: Lease) -> QuerySet[MailAccount]:
    return MailAccount.objects.filter(pk=lease.account_id, lease_owner=lease.token)
