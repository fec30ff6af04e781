"""Push: one thread watches thousands of mailboxes and has those synced in which something changes.

It trusts no event for what happened: a sync finds out, and judges the account, too. What can't be watched is polled as
usual. Several watchers share the accounts evenly (watch_fleet), and take over those of one that is lost.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from django.db import Error as DatabaseTrouble
from django.db import close_old_connections, connections

from mailaccounts.conf import settings
from mailaccounts.errors import (
    AllowanceSpent,
    CapabilityMissing,
    IdleMissing,
    MailAccountsError,
    NetworkError,
    ProtocolFault,
    Remedy,
    Throttled,
)
from mailaccounts.mail.idle_loop import IdleLoop
from mailaccounts.services.limits import watch_fleet
from mailaccounts.services.running import alarms
from mailaccounts.services.telling.safely import safely
from mailaccounts.services.trail import beats
from mailaccounts.services.watching.watch_holdings import Holdings
from mailaccounts.services.watching.watch_login import THREADS, Logins, Opened
from mailaccounts.services.watching.watch_report import Reports, WatchStatus
from mailaccounts.services.watching.watch_roll import Roll
from mailaccounts.services.watching.watch_syncs import Changes

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailaccounts.services.watching.watch_roll import Watched

LOOK_SECONDS = 60.0  # between two looks for alarms

logger = logging.getLogger(__name__)


class Watcher:
    """``run`` works until ``stop``, which may be called from a signal handler or another thread."""

    def __init__(self, *, most: int, show: Callable[[WatchStatus], None] = lambda status: None) -> None:
        """Watches ``most`` mailboxes at most, and tells ``show`` how it is doing whenever that has changed."""
        self._reports = Reports(show)
        self._totals: Counter[str] = Counter()
        self._loop = IdleLoop()
        self._roll = Roll(most=most, per_second=settings.watch_logins_per_second, at_once=2 * THREADS)
        self._holdings = Holdings(most=most, roll=self._roll, loop=self._loop)
        self._changes = Changes()
        self._beat_at = self._claims_from = self._look_at = 0.0
        self._name = f"{beats.WATCHER}{self._holdings.token}"
        self._looking = threading.Thread()
        self._cut_off = self._stopping = False

    def stop(self) -> None:
        self._stopping = True
        self._loop.wake()

    def run(self) -> None:
        """Watches; on its way out it lets go of every account, so that another watcher can take them at once."""
        logins = Logins(wake=self._loop.wake)
        try:
            while not self._stopping:
                self._look_after(logins)
                for account_id, error in self._loop.wait(self._pause(time.monotonic())):
                    if error is None:
                        self._change(account_id)
                    else:
                        self._lose(account_id, error)
        finally:
            self._loop.close()
            self._with_database(self._leave)
            logins.stop()  # those under way may have to wait for a server
            if self._looking.is_alive():
                self._looking.join()

    def _look_after(self, logins: Logins) -> None:
        """Everything but waiting."""
        now = time.monotonic()
        if (due := self._changes.next_at()) is not None and due <= now:
            self._with_database(self._changes.queue)
        while (outcome := logins.outcome()) is not None:
            self._judge(*outcome)
        if now >= self._beat_at:
            self._beat_at = now + watch_fleet.BEAT_SECONDS
            self._with_database(self._beat)
            self._holdings.keep_places(now)
        if not self._holdings.complete and now >= self._claims_from and self._roll.room():
            self._with_database(self._holdings.claim)
        for watched in self._roll.next_logins(time.monotonic()):
            logins.begin(watched.about.pk)
        if self._roll.let_go:
            self._with_database(lambda _: self._holdings.let_go())
        self._reports.give(self.status)

    def _with_database(self, work: Callable[[float], object]) -> None:
        """Does what needs the database. While that is out of order connections are kept, and nothing is forgotten.
        Once it is back the other watchers have time to say that they live."""
        close_old_connections()
        try:
            work(time.monotonic())
            self._cut_off = False
        except DatabaseTrouble as error:
            if not self._cut_off:
                logger.warning("the watcher goes on without its database: %s", type(error).__name__)
            self._cut_off = True
            self._claims_from = time.monotonic() + 2 * watch_fleet.BEAT_SECONDS

    def _beat(self, now: float) -> None:
        if now >= self._look_at:
            beats.note(self._name)
            self._look_at = now + LOOK_SECONDS
            self._look_for_alarms()
        self._holdings.review(now)

    def _look_for_alarms(self) -> None:
        """Where no worker ticks nobody else does. In a thread: to ask a broker and to send mail may take longer than a
        watcher can be silent."""
        if not self._looking.is_alive():
            self._looking = threading.Thread(target=_look, name="alarms")
            self._looking.start()

    def _leave(self, now: float) -> None:
        self._holdings.leave()
        beats.forget(self._name)

    # --- what becomes of connections ---

    def _change(self, account_id: int) -> None:
        self._totals["changes"] += 1
        self._changes.note(account_id, time.monotonic())

    def _judge(self, account_id: int, outcome: Opened | MailAccountsError) -> None:
        """A sign-in has ended."""
        now = time.monotonic()
        opened = isinstance(outcome, Opened)
        watched = self._roll.ended(account_id, succeeded=opened)
        if isinstance(outcome, Opened):
            if watched is None:
                outcome.idle.close(politely=True)
                return
            self._loop.add(account_id, outcome.idle)
            watched.open(now, until=outcome.until)
            if outcome.behind:
                self._changes.note(account_id, now)
        elif watched is not None:
            self._totals["failed"] += 1
            if _is_about_the_server(outcome):
                self._roll.host(watched).unreached(now, retry_after=_retry_after(outcome))
            self._fail(watched, outcome, now, lost=False)

    def _lose(self, account_id: int, error: MailAccountsError) -> None:
        """A connection is no more."""
        watched = self._roll.find(account_id)
        if watched is not None:
            self._totals["lost"] += 1
            self._fail(watched, error, time.monotonic(), lost=True)

    def _fail(self, watched: Watched, error: MailAccountsError, now: float, *, lost: bool) -> None:
        """Decides what a failure means for the server and for the account."""
        about, host = watched.about, self._roll.host(watched)
        logger.info("account %d isn't watched: %s", about.pk, error.code)
        if isinstance(error, IdleMissing):
            host.without_idle(now)
        elif isinstance(error, Throttled):
            for quiet in self._roll.quietest(about.host, host.too_many(about.pk, now)):
                self._holdings.drop(quiet.about.pk)
        elif error.remedy is not Remedy.WAIT and not isinstance(error, NetworkError):
            self._changes.note(about.pk, now)  # what the account needs a sync finds out
        self._roll.rest(watched, now, failed=not lost, retry_after=_retry_after(error))

    # --- time ---

    def _pause(self, now: float) -> float:
        """How long nothing is to be done unless something happens."""
        instants = (
            self._beat_at,
            self._changes.next_at(),
            self._roll.next_at(now),
            self._reports.next_at(self.status),
        )
        return max(0.0, min(at for at in instants if at is not None) - now)

    @property
    def status(self) -> WatchStatus:
        return WatchStatus(
            watched=len(self._loop),
            waiting=len(self._roll) - len(self._loop),
            syncs=self._changes.queued,
            **self._totals,
        )


def _look() -> None:
    safely(alarms.look)
    connections.close_all()


def _retry_after(error: MailAccountsError) -> float:
    return getattr(error, "retry_after", None) or 0.0


def _is_about_the_server(error: MailAccountsError) -> bool:
    """Whether it failed to sign anybody in."""
    others = (Throttled, ProtocolFault, CapabilityMissing, AllowanceSpent)  # IdleMissing is a CapabilityMissing
    return isinstance(error, NetworkError) and not isinstance(error, others)
