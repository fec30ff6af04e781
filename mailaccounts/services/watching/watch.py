"""Push: one thread watches thousands of mailboxes and has those synced in which something changes.

It trusts no event for what happened: a sync finds out, and judges the account, too. What can't be watched is polled as
usual. Several watchers share the accounts evenly (watch_fleet), and take over those of one that is lost.
"""

from __future__ import annotations

import logging
import secrets
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
from mailaccounts.services.limits import budget, watch_fleet
from mailaccounts.services.running import alarms
from mailaccounts.services.telling.safely import safely
from mailaccounts.services.trail import beats
from mailaccounts.services.watching import watch_claims
from mailaccounts.services.watching.watch_login import THREADS, Logins, Opened
from mailaccounts.services.watching.watch_report import Reports, WatchStatus
from mailaccounts.services.watching.watch_roll import Roll
from mailaccounts.services.watching.watch_shares import shares
from mailaccounts.services.watching.watch_syncs import Changes

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailaccounts.services.watching.watch_roll import Watched

LIVELIER_SECONDS = 3600.0  # that an account's mail has to be newer than another's to take its place
PLACES = 5  # taken in this way at a time
MOVED = 100  # accounts left to another watcher at a beat: it has them signed in again before the next hundred
LOOK_SECONDS = 60.0  # between two looks for alarms

logger = logging.getLogger(__name__)


class Watcher:
    """``run`` works until ``stop``, which may be called from a signal handler or another thread."""

    def __init__(self, *, most: int, show: Callable[[WatchStatus], None] = lambda status: None) -> None:
        """Watches ``most`` mailboxes at most, and tells ``show`` how it is doing whenever that has changed."""
        self.token = secrets.token_hex(16)
        self._reports = Reports(show)
        self._totals: Counter[str] = Counter()
        self._loop = IdleLoop()
        self._roll = Roll(most=most, per_second=settings.watch_logins_per_second, at_once=2 * THREADS)
        self._changes = Changes()
        self._most = most
        self._beat_at = self._claims_from = self._keeps_at = self._look_at = 0.0
        self._name = f"{beats.WATCHER}{self.token}"
        self._looking = threading.Thread()
        self._claimed_all = self._cut_off = self._stopping = False

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
            self._claimed_all = False
            self._with_database(self._beat)
            self._keep_places(now)
        if not self._claimed_all and now >= self._claims_from and self._roll.room():
            self._with_database(self._claim)
        for watched in self._roll.next_logins(time.monotonic()):
            logins.begin(watched.about.pk)
        if self._roll.let_go:
            self._with_database(self._let_go)
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

    # --- accounts come and go ---

    def _beat(self, now: float) -> None:
        """Gives a sign of life, and takes note of what became of the accounts."""
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            beats.note(self._name)
            self._look_for_alarms()
        free = watch_claims.free(except_hosts=self._roll.unavailable_hosts(now), except_ids=self._roll.resting(now))
        watch_fleet.report(self.token, most=self._most, out_of_reach=self._roll.closed_hosts(now), free=free)
        mine = watch_claims.held(self.token)
        for account_id in self._roll:
            if account_id not in mine:
                self._drop(account_id)
        for account_id, account in mine.items():
            watched = self._roll.find(account_id)
            if watched is None:
                self._roll.let_go.add(account_id)
            elif self._roll.renew(watched, account):
                self._loop.remove(account_id, politely=True)
            elif watched.is_stale(now):
                self._loop.remove(account_id, politely=True)
                self._roll.again(watched, at=now)
        self._keep_within_limits(now)
        self._make_way_for_livelier(now)
        self._share_out(free)

    def _look_for_alarms(self) -> None:
        """Where no worker ticks nobody else does. In a thread: to ask a broker and to send mail may take longer than a
        watcher can be silent."""
        if not self._looking.is_alive():
            self._looking = threading.Thread(target=_look, name="alarms")
            self._looking.start()

    def _share_out(self, free: int) -> None:
        """Lets go of accounts that other watchers are to have, a few at a time; none while nobody takes the last."""
        self._roll.share = watch_fleet.share(self.token, free=free)
        for watched in self._roll.spare(MOVED - free):
            self._drop(watched.about.pk)

    def _claim(self, now: float) -> None:
        most = self._roll.room()
        closed, resting = self._roll.unavailable_hosts(now), self._roll.resting(now)
        found = watch_claims.claim(self.token, most=most, except_hosts=closed, except_ids=resting)
        self._claimed_all = len(found) < most
        self._roll.enlist(found)
        self._keep_within_limits(now)

    def _keep_within_limits(self, now: float) -> None:
        """Lets go of accounts that their servers have no connection for."""
        self._roll.allow(shares(self.token, self._roll.hosts()))
        for watched in self._roll.surplus(now):
            self._drop(watched.about.pk)

    def _make_way_for_livelier(self, now: float) -> None:
        """At a server that takes no more connections, those that had mail lately go before those that hadn't."""
        for host in self._roll.limited_hosts(now):
            quiet = self._roll.quietest(host, PLACES)
            if not quiet:
                continue
            than, resting = quiet[0].about.active + LIVELIER_SECONDS, self._roll.resting(now)
            found = watch_claims.claim_livelier(self.token, host=host, than=than, most=len(quiet), except_ids=resting)
            for watched, lively in zip(quiet, sorted(found, key=lambda each: -each.active), strict=False):
                if lively.active > watched.about.active + LIVELIER_SECONDS:
                    self._drop(watched.about.pk)
                    self._roll.enlist([lively])
                else:
                    self._roll.let_go.add(lively.pk)

    def _keep_places(self, now: float) -> None:
        """Says that the connections are there. While the cache was lost, others may have taken the places of some."""
        if now >= self._keeps_at:
            self._keeps_at = now + budget.KEEP_SECONDS
            meters = self._loop.meters().items()
            for account_id in budget.keep({pk: meter for pk, meter in meters if isinstance(meter, budget.Meter)}):
                self._drop(account_id)

    def _drop(self, account_id: int) -> None:
        self._loop.remove(account_id, politely=True)
        self._roll.strike(account_id)

    def _let_go(self, now: float) -> None:
        watch_claims.release(self.token, self._roll.let_go)
        self._roll.let_go.clear()

    def _leave(self, now: float) -> None:
        watch_claims.release(self.token, {*self._roll, *self._roll.let_go})
        watch_fleet.leave(self.token)
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
                self._drop(quiet.about.pk)
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
