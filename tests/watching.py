"""Watchers at work beside a test, in a thread of its process, and what they have queued."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import connections
from django.utils import timezone
from django_q.models import OrmQ

from mailaccounts.models import AccountStatus, Lookout, MailAccount
from mailaccounts.queue import Job
from mailaccounts.services.limits import watch_fleet
from mailaccounts.services.watching import watch_claims
from mailaccounts.services.watching.watch import Watcher
from tests.crm_process import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


class Watching(Watcher):
    """A watcher that can be asked what it watches. ``looks`` are those for accounts to take or to let go of."""

    looks = 0

    def _beat(self, now: float) -> None:
        super()._beat(now)
        self.looks += 1

    def watching(self) -> list[int]:
        return list(self._loop)

    def watches(self, *accounts: MailAccount) -> bool:
        return all(account.pk in self._loop for account in accounts)

    def heard_more_than(self, changes: int) -> bool:
        return self.status.changes > changes

    def wait_for(self, *accounts: MailAccount) -> None:
        wait_until(lambda: self.watches(*accounts), what="the accounts are watched")


@contextmanager
def watching(*, most: int = 100) -> Iterator[Watching]:
    watcher = Watching(most=most)

    def run() -> None:
        try:
            watcher.run()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, name="watcher")
    thread.start()
    try:
        yield watcher
    finally:
        watcher.stop()
        thread.join(60)
        assert not thread.is_alive()


def healthy(account: MailAccount, **columns: Any) -> MailAccount:
    """The account after a sync that went well, and not due for an hour."""
    due = timezone.now() + timedelta(hours=1)
    MailAccount.objects.filter(pk=account.pk).update(
        **{"status": AccountStatus.OK, "next_sync_at": due, "last_sync_at": timezone.now(), **columns}
    )
    account.refresh_from_db()
    return account


def queued_syncs(account: MailAccount) -> int:
    """How many syncs of the account wait for a worker."""
    return sum(each.task["func"] == Job.SYNC and account.pk in each.task["args"] for each in OrmQ.objects.all())


def is_marked(account: MailAccount) -> bool:
    """Whether the database has it that somebody watches the account."""
    return MailAccount.objects.filter(pk=account.pk).exclude(watch_fleet.UNWATCHED).exists()


def lost_watcher() -> str:
    """A watcher that has taken all there is, and of which nothing is heard any more."""
    token = "somebody-lost"
    watch_fleet.report(token, most=1000)
    watch_claims.claim(token, most=1000, except_hosts=(), except_ids=())
    return token


def pass_seconds(seconds: int) -> None:
    """For the leases of watchers it is so much later."""
    for each in Lookout.objects.all():
        Lookout.objects.filter(pk=each.pk).update(until=each.until - timedelta(seconds=seconds))
