"""Has accounts synced in whose mailbox something changed: at once, and however much changes, once at a time.

While a sync waits for its worker another change needs no second one. While one runs, a change may have come too late
for it: the next is queued when it has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from mailaccounts.models import MailAccount
from mailaccounts.queue import Job, enqueue
from mailaccounts.services.limits.lease import AT_WORK, FREE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

APART_SECONDS = 1.0  # at least, between two syncs queued for one account
LOOK_SECONDS = 0.3  # between two looks whether a sync under way has ended
KEPT_SECONDS = 900.0  # a sync that no worker began by then was lost, and the tick has queued another


class Changes:
    """The accounts in whose mailbox something changed. Instants are of time.monotonic()."""

    def __init__(self) -> None:
        self.queued = 0
        self._due: dict[int, float] = {}
        self._last: dict[int, tuple[float, datetime]] = {}  # when a sync was queued, and the account's next_sync_at

    def note(self, account_id: int, now: float) -> None:
        """Something changed."""
        last = self._last.get(account_id)
        self._due.setdefault(account_id, max(now, last[0] + APART_SECONDS) if last else now)

    def next_at(self) -> float | None:
        """When ``queue`` wants to be called."""
        return min(self._due.values(), default=None)

    def queue(self, now: float) -> None:
        """Queues what is due. DatabaseError when that can't be done now; nothing is forgotten by it."""
        due = [account_id for account_id, at in self._due.items() if at <= now]
        if not due:
            return
        self._due.update(dict.fromkeys(due, now + LOOK_SECONDS))
        self._last = {pk: last for pk, last in self._last.items() if now - last[0] < KEPT_SECONDS}
        busy, queued = _queue(due, waiting={pk: self._last[pk][1] for pk in due if pk in self._last})
        for account_id in due:
            if account_id not in busy:
                del self._due[account_id]
        self._last.update((pk, (now, at)) for pk, at in queued.items())
        self.queued += len(queued)


def _queue(ids: Collection[int], *, waiting: Mapping[int, datetime]) -> tuple[set[int], dict[int, datetime]]:
    """Queues a sync for each account, unless the one of ``waiting`` has not begun; also for those that are due anyway,
    whose turn at the next tick may be a minute away. Which are being synced, and the ``next_sync_at`` of the queued.

    The accounts are locked meanwhile: a worker that took one now would make the job one for nobody.
    """
    now = timezone.now()
    with transaction.atomic():
        accounts = MailAccount.objects.filter(AT_WORK, pk__in=ids)
        free = {
            account.pk: account.next_sync_at
            for account in accounts.filter(FREE).only("next_sync_at").select_for_update(skip_locked=True)
        }
        queued = dict.fromkeys((pk for pk, at in free.items() if at is None or at != waiting.get(pk)), now)
        MailAccount.objects.filter(pk__in=queued).update(next_sync_at=now)
        for account_id in queued:
            enqueue(Job.SYNC, account_id)
    busy = set(accounts.exclude(pk__in=free).values_list("pk", flat=True))
    return busy, queued
