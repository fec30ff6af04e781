"""What whoever runs an installation does with accounts, however many at once, without looking at their mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from mailaccounts.models import AccountStatus, AuditAction, MailAccount
from mailaccounts.queue import Job, enqueue
from mailaccounts.services.limits.lease import AT_WORK, CONNECTED, PAUSED
from mailaccounts.services.trail.audit import note_each

if TYPE_CHECKING:
    from django.db.models import QuerySet


def sync_soon(accounts: QuerySet[MailAccount]) -> int:
    """Makes it the turn of these accounts, but for those that are paused or disconnected; how many. A tick has workers
    sync them in portions, tenant by tenant: many at once keep nobody else waiting."""
    chosen = MailAccount.objects.filter(AT_WORK, pk__in=_keys(accounts))
    count = chosen.update(next_sync_at=timezone.now())
    enqueue(Job.TICK)
    return count


def pause(accounts: QuerySet[MailAccount], *, actor: Any) -> int:
    """From now on no sync of these accounts begins and no watcher takes them; how many that are. Their owners see it,
    and can still send."""
    running = CONNECTED & Q(paused_at__isnull=True)
    return len(_change(accounts, running, AuditAction.PAUSED, actor=actor, paused_at=timezone.now()))


def resume(accounts: QuerySet[MailAccount], *, actor: Any) -> int:
    """Ends the pause: it is their turn, and mail that came meanwhile is brought in."""
    resumed = _change(accounts, PAUSED, AuditAction.RESUMED, actor=actor, paused_at=None)
    sync_soon(MailAccount.objects.filter(pk__in=resumed))
    return len(resumed)


def ask_owners(accounts: QuerySet[MailAccount], *, actor: Any) -> int:
    """Tells the owners of those accounts that need them once more, with the link to sign in again; how many."""
    needy = Q(status=AccountStatus.NEEDS_OWNER, paused_at__isnull=True)
    asked = _change(accounts, needy, AuditAction.ASKED, actor=actor, notice_due=True)
    enqueue(Job.TICK)
    return len(asked)


def _change(
    accounts: QuerySet[MailAccount], state: Q, action: AuditAction, *, actor: Any, **columns: Any
) -> list[int]:
    """Changes those of the accounts that are in ``state``, and notes it of each in the same transaction; which."""
    with transaction.atomic():
        rows = MailAccount.objects.filter(state, pk__in=_keys(accounts)).only("pk", "address", "owner_id")
        found = list(rows.select_for_update(of=("self",)))
        keys = [each.pk for each in found]
        MailAccount.objects.filter(pk__in=keys).update(**columns)
        note_each(action, found, actor=actor)
    return keys


def _keys(accounts: QuerySet[MailAccount]) -> QuerySet[Any]:
    return accounts.order_by().values("pk")
