"""How many connections a mail server is asked for, how fast, and who goes without when it doesn't take as many; and
how many accounts each of several watchers has."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

CERTAIN = 3  # mailboxes refused in a row for being too many: one alone may have a limit of its own
LIMIT_SECONDS = 900.0  # that a limit is believed in, before it is tried for again
WITHOUT_IDLE_SECONDS = 3600.0  # after which a server that had no IDLE is asked again
SPREAD_SECONDS = 2.0  # within which those return whose connections were lost together
FIRST_SECONDS = 5.0  # until the second try
LONGEST_SECONDS = 3600.0  # an outage may end any time: never stay away for longer
BURST_SECONDS = 0.2  # sign-ins of this long may begin together


def for_syncs(connections: int) -> int:
    """Of so many connections that a server takes, those that watching leaves alone: a tenth, and two at least."""
    return max(2, connections // 10)


def fair_shares(accounts: int, watchers: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    """How many of so many accounts each watcher is to have, which can have so many at most and has so many now: all as
    many, as far as that goes. One more than the others has who has more now, so that nothing moves that needn't."""
    shares, left = {}, accounts
    order = sorted(watchers, key=lambda watcher: (*watchers[watcher], watcher))
    for position, watcher in enumerate(order):
        most, _ = watchers[watcher]
        shares[watcher] = min(most, left // (len(order) - position))
        left -= shares[watcher]
    return shares


def back_off(failures: int) -> float:
    """Seconds until the next try: soon at first, then after a few seconds, doubled with each failure up to an hour.
    Spread, so that connections lost together don't return together."""
    if failures == 0:
        return random.uniform(0, SPREAD_SECONDS)  # noqa: S311 - spreads load
    usual = min(FIRST_SECONDS * 2.0 ** min(failures - 1, 16), LONGEST_SECONDS)
    return usual * random.uniform(0.9, 1.1)  # noqa: S311 - spreads load


@dataclass(slots=True)
class Host:
    """One mail server, as a watcher has come to know it. Instants are of time.monotonic().

    ``opening`` are the sign-ins under way, ``open`` the connections kept. Of these there may be ``allowed`` by the
    provider, and ``limit`` as the server itself has shown; None: no such limit.
    """

    open: int = 0
    opening: int = 0
    allowed: int | None = None
    limit: int | None = None
    _next_at: float = 0.0
    _limited_until: float = 0.0
    _closed_until: float = 0.0
    _failures: int = 0
    _refused: set[int] = field(default_factory=set)

    def room(self, now: float) -> int | None:
        """How many more connections it takes; None: as many as one likes."""
        if self.limit is not None and now >= self._limited_until:
            self.limit = None
        limits = [limit for limit in (self.allowed, self.limit) if limit is not None]
        return max(0, min(limits) - self.open - self.opening) if limits else None

    def too_many_by(self) -> int:
        """How many more it has than the provider allows."""
        return 0 if self.allowed is None else max(0, self.open + self.opening - self.allowed)

    def is_closed(self, now: float) -> bool:
        """Whether it is to be left alone: it isn't reached, or has no IDLE."""
        return now < self._closed_until

    def admits(self, now: float, *, per_second: int) -> int:
        """How many sign-ins may begin now. One at a time where the last one failed: it is a probe."""
        if self.is_closed(now) or now < self._next_at:
            return 0
        most = max(1, int(per_second * BURST_SECONDS))
        if self._failures or self._refused:
            most = 0 if self.opening else 1
        room = self.room(now)
        return most if room is None else min(most, room)

    def next_at(self, now: float) -> float:
        """When to ask ``admits`` again."""
        return max(self._next_at, self._closed_until, now)

    def begin(self, now: float, *, per_second: int) -> None:
        """A sign-in begins."""
        self.opening += 1
        self._next_at = max(self._next_at, now - BURST_SECONDS) + 1 / per_second

    def opened(self) -> None:
        """It succeeded."""
        self.opening -= 1
        self.open += 1
        self._failures = 0
        self._refused.clear()

    def failed(self) -> None:
        """It didn't, for whatever reason."""
        self.opening -= 1

    def closed(self) -> None:
        """A connection is no more."""
        self.open -= 1

    def unreached(self, now: float, *, retry_after: float = 0.0) -> None:
        """The server can't be reached, or is out of order."""
        self._failures += 1
        self._closed_until = now + max(back_off(self._failures), retry_after)

    def without_idle(self, now: float) -> None:
        """The server doesn't tell what arrives."""
        self._closed_until = now + WITHOUT_IDLE_SECONDS

    def too_many(self, account_id: int, now: float) -> int:
        """The server asked for fewer connections when this account signed in; how many of those kept are to be closed.

        Asked so for several accounts in a row it counts as full, with what it took less what is left for syncs.
        """
        self._refused.add(account_id)
        if len(self._refused) < CERTAIN:
            return 0
        self._refused.clear()
        self.limit = max(0, self.open - for_syncs(self.open))
        self._limited_until = now + LIMIT_SECONDS
        return self.open - self.limit
