"""The accounts that a watcher has: taken, kept in step with the database, shared with other watchers and let go."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from mailaccounts.services.limits import budget, watch_fleet
from mailaccounts.services.watching import watch_claims
from mailaccounts.services.watching.watch_shares import shares

if TYPE_CHECKING:
    from mailaccounts.mail.idle_loop import IdleLoop
    from mailaccounts.services.watching.watch_roll import Roll

LIVELIER_SECONDS = 3600.0  # that an account's mail has to be newer than another's to take its place
PLACES = 5  # taken in this way at a time
MOVED = 100  # accounts left to another watcher at a beat: it has them signed in again before the next hundred


class Holdings:
    """Those on the ``roll``, of which the ``loop`` has the connections; ``most`` at most. ``complete`` once there were
    no more to be taken."""

    def __init__(self, *, most: int, roll: Roll, loop: IdleLoop) -> None:
        self.token = secrets.token_hex(16)
        self.complete = False
        self._most, self._roll, self._loop = most, roll, loop
        self._keeps_at = 0.0

    def review(self, now: float) -> None:
        """Gives a sign of life, and takes note of what became of the accounts."""
        self.complete = False
        free = watch_claims.free(except_hosts=self._roll.unavailable_hosts(now), except_ids=self._roll.resting(now))
        watch_fleet.report(self.token, most=self._most, out_of_reach=self._roll.closed_hosts(now), free=free)
        mine = watch_claims.held(self.token)
        for account_id in self._roll:
            if account_id not in mine:
                self.drop(account_id)
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

    def claim(self, now: float) -> None:
        """Takes as many as there is room for."""
        most = self._roll.room()
        closed, resting = self._roll.unavailable_hosts(now), self._roll.resting(now)
        found = watch_claims.claim(self.token, most=most, except_hosts=closed, except_ids=resting)
        self.complete = len(found) < most
        self._roll.enlist(found)
        self._keep_within_limits(now)

    def keep_places(self, now: float) -> None:
        """Says that the connections are there. While the cache was lost, others may have taken the places of some."""
        if now >= self._keeps_at:
            self._keeps_at = now + budget.KEEP_SECONDS
            meters = self._loop.meters().items()
            for account_id in budget.keep({pk: meter for pk, meter in meters if isinstance(meter, budget.Meter)}):
                self.drop(account_id)

    def drop(self, account_id: int) -> None:
        """Has the account no more; the database is told when the others are."""
        self._loop.remove(account_id, politely=True)
        self._roll.strike(account_id)

    def let_go(self) -> None:
        """Leaves those that were dropped to other watchers."""
        watch_claims.release(self.token, self._roll.let_go)
        self._roll.let_go.clear()

    def leave(self) -> None:
        """Leaves all of them to other watchers: this one is no more."""
        watch_claims.release(self.token, {*self._roll, *self._roll.let_go})
        watch_fleet.leave(self.token)

    def _share_out(self, free: int) -> None:
        """Drops accounts that other watchers are to have, a few at a time; none while nobody takes the last."""
        self._roll.share = watch_fleet.share(self.token, free=free)
        for watched in self._roll.spare(MOVED - free):
            self.drop(watched.about.pk)

    def _keep_within_limits(self, now: float) -> None:
        """Drops accounts that their servers have no connection for."""
        self._roll.allow(shares(self.token, self._roll.hosts()))
        for watched in self._roll.surplus(now):
            self.drop(watched.about.pk)

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
                    self.drop(watched.about.pk)
                    self._roll.enlist([lively])
                else:
                    self._roll.let_go.add(lively.pk)
