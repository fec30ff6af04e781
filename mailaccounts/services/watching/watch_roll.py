"""The roll of a watcher: its accounts, the state of each, and whose turn to sign in is next at which server."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from enum import Enum, auto
from typing import TYPE_CHECKING

from mailaccounts.rules.watching import Host, back_off

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mailaccounts.services.watching.watch_claims import Watchable

IN_LINE = 500  # accounts that wait to sign in: those that would wait for longer had better be polled
PATIENCE_SECONDS = 30.0  # one that is to be tried again later than that is polled until then
SHARES = 3  # a server has one of so many of the sign-ins under way: a slow one keeps nobody waiting, and a full one
# refuses fewer at once than make it count as down (BREAKER_FAILURES)
STEADY_SECONDS = 60.0  # a connection that was lost sooner counts as a failure
FORGIVEN_SECONDS = 7200.0  # after which failures are forgotten


class State(Enum):
    WANTED = auto()
    OPENING = auto()
    OPEN = auto()


class Watched:
    """An account of this watcher's. Instants are of time.monotonic()."""

    __slots__ = ("about", "failures", "not_before", "opened_at", "state", "until")

    def __init__(self, about: Watchable, *, failures: int = 0) -> None:
        self.about, self.failures = about, failures
        self.state = State.WANTED
        self.not_before = self.opened_at = 0.0
        self.until: float | None = None

    def open(self, now: float, *, until: float | None) -> None:
        """There is a connection now; its token is good ``until`` then."""
        self.state, self.opened_at, self.until = State.OPEN, now, until

    def is_stale(self, now: float) -> bool:
        """Whether its token is about to expire."""
        return self.state is State.OPEN and self.until is not None and now >= self.until

    def is_ready(self, now: float) -> bool:
        return self.state is State.WANTED and self.not_before <= now


class Roll:
    """``let_go`` are accounts struck off that the database still has as ours. There are to be ``share`` accounts."""

    def __init__(self, *, most: int, per_second: int, at_once: int) -> None:
        """Holds ``most`` accounts; ``at_once`` sign-ins at a time, ``per_second`` at one server."""
        self.let_go: set[int] = set()
        self.share = most
        self._per_second, self._at_once = per_second, at_once
        self._watched: dict[int, Watched] = {}
        self._waiting: dict[int, Watched] = {}  # those of them that wait to sign in
        self._opening: dict[int, tuple[Watched, str]] = {}  # sign-ins under way, and at which server
        self._hosts: defaultdict[str, Host] = defaultdict(Host)
        self._rests: dict[int, tuple[float, int]] = {}  # accounts let go of: until when, after how many failures

    def __len__(self) -> int:
        return len(self._watched)

    def __iter__(self) -> Iterator[int]:
        return iter(list(self._watched))

    def find(self, account_id: int) -> Watched | None:
        return self._watched.get(account_id)

    def host(self, watched: Watched) -> Host:
        return self._hosts[watched.about.host]

    # --- taking accounts ---

    def room(self) -> int:
        """How many accounts may be added now: none, until half of the line is gone."""
        if len(self._waiting) > IN_LINE // 2:
            return 0
        return max(0, min(self.share - len(self._watched), IN_LINE - len(self._waiting)))

    def closed_hosts(self, now: float) -> set[str]:
        """Servers that are to be left alone for now."""
        return {name for name, host in self._hosts.items() if host.is_closed(now)}

    def unavailable_hosts(self, now: float) -> set[str]:
        """Servers that take no connection now beside those that are waited for."""
        line = Counter(watched.about.host for watched in self._waiting.values())
        rooms = {name: host.room(now) for name, host in self._hosts.items() if not host.is_closed(now)}
        full = {name for name, room in rooms.items() if room is not None and room <= line[name]}
        return full | (self._hosts.keys() - rooms.keys())

    def resting(self, now: float) -> set[int]:
        """Accounts that are to be tried again later."""
        self._rests = {pk: rest for pk, rest in self._rests.items() if now - rest[0] < FORGIVEN_SECONDS}
        return {pk for pk, (until, _) in self._rests.items() if until > now}

    def enlist(self, accounts: Iterable[Watchable]) -> None:
        for about in accounts:
            if about.pk not in self._watched:
                _, failures = self._rests.get(about.pk, (0.0, 0))
                self._watched[about.pk] = self._waiting[about.pk] = Watched(about, failures=failures)
            self.let_go.discard(about.pk)

    def strike(self, account_id: int) -> None:
        """Takes an account off the roll; harmless when it isn't on it."""
        watched = self._watched.pop(account_id, None)
        if watched is not None:
            self._leave(watched)
            self.let_go.add(account_id)

    # --- signing in ---

    def next_logins(self, now: float) -> list[Watched]:
        """Those whose turn it is to sign in, as many as may at once: of each server's those that had mail last."""
        by_host: defaultdict[str, list[Watched]] = defaultdict(list)
        for pk, watched in self._waiting.items():
            if watched.is_ready(now) and pk not in self._opening:
                by_host[watched.about.host].append(watched)
        begun = []
        for name, ready in by_host.items():
            host = self._hosts[name]
            share = max(1, self._at_once // SHARES) - host.opening
            count = min(host.admits(now, per_second=self._per_second), share, self._at_once - len(self._opening))
            for watched in heapq.nlargest(max(0, count), ready, key=lambda each: each.about.active):
                host.begin(now, per_second=self._per_second)
                del self._waiting[watched.about.pk]
                watched.state = State.OPENING
                self._opening[watched.about.pk] = (watched, name)
                begun.append(watched)
        return begun

    def next_at(self, now: float) -> float | None:
        """When to ask ``next_logins`` again, unless a sign-in ends before."""
        if len(self._opening) >= self._at_once:
            return None
        waiting = (each for pk, each in self._waiting.items() if pk not in self._opening)
        return min((max(each.not_before, self.host(each).next_at(now)) for each in waiting), default=None)

    def ended(self, account_id: int, *, succeeded: bool) -> Watched | None:
        """A sign-in ended. None when it is of no use any more: the account was struck off, or signs in differently."""
        watched, name = self._opening.pop(account_id)
        host = self._hosts[name]
        if watched.state is not State.OPENING:
            host.failed()
            return None
        if succeeded:
            host.opened()
        else:
            host.failed()
        return watched

    def closed(self, watched: Watched) -> None:
        """Its connection is no more."""
        self._leave(watched)

    # --- after that ---

    def renew(self, watched: Watched, about: Watchable) -> bool:
        """Takes note of what an account is like now; whether it has to sign in anew."""
        if about.sign_in == watched.about.sign_in:
            watched.about = about
            return False
        self._leave(watched)
        watched.about, watched.failures = about, 0
        self._want(watched, at=0.0)
        return True

    def again(self, watched: Watched, *, at: float) -> None:
        """Has an account sign in anew."""
        self._leave(watched)
        self._want(watched, at=at)

    def rest(self, watched: Watched, now: float, *, failed: bool, retry_after: float = 0.0) -> None:
        """An account isn't watched now: it signs in again soon, or is let go of and polled for a while."""
        steady = watched.opened_at and now - watched.opened_at >= STEADY_SECONDS
        watched.failures = 0 if steady and not failed else watched.failures + 1
        pause = back_off(watched.failures)
        pause = max(pause, retry_after)
        host = self.host(watched)
        unavailable = host.is_closed(now) or host.room(now) == 0
        if not unavailable and pause <= PATIENCE_SECONDS and len(self._waiting) < IN_LINE:
            self.again(watched, at=now + pause)
            return
        self.strike(watched.about.pk)
        self._rests[watched.about.pk] = (now + pause, watched.failures)
        if unavailable:
            for each in [each for each in self._waiting.values() if each.about.host == watched.about.host]:
                self.strike(each.about.pk)

    def quietest(self, host: str, count: int) -> list[Watched]:
        """Of the connections with a server those of the accounts whose mail is oldest."""
        there = (each for each in self._watched.values() if each.about.host == host and each.state is State.OPEN)
        return heapq.nsmallest(count, there, key=lambda each: each.about.active)

    def spare(self, most: int) -> list[Watched]:
        """What is beyond the share, ``most`` of it: those that wait to sign in, then those whose mail is oldest."""
        count = max(0, min(len(self._watched) - self.share, most))
        return heapq.nsmallest(
            count, self._watched.values(), key=lambda each: (each.state is State.OPEN, each.about.active)
        )

    def allow(self, shares: Mapping[str, int]) -> None:
        """Takes note of how many connections there may be with these servers."""
        for name, share in shares.items():
            self._hosts[name].allowed = share

    def surplus(self, now: float) -> list[Watched]:
        """More than their servers take: of those that wait for a connection, and of those that have one, the accounts
        whose mail is oldest."""
        found = []
        for name, host in self._hosts.items():
            if (room := host.room(now)) is not None:
                waiting = [each for each in self._waiting.values() if each.about.host == name]
                found += heapq.nsmallest(len(waiting) - room, waiting, key=lambda each: each.about.active)
                found += self.quietest(name, host.too_many_by())
        return found

    def hosts(self) -> set[str]:
        """The servers of its accounts, and of those there were."""
        return self._hosts.keys() | {watched.about.host for watched in self._watched.values()}

    def limited_hosts(self, now: float) -> list[str]:
        """Servers that take no more connections than they have."""
        return [name for name, host in self._hosts.items() if host.room(now) == 0 and not host.is_closed(now)]

    def _want(self, watched: Watched, *, at: float) -> None:
        watched.state, watched.not_before = State.WANTED, at
        self._waiting[watched.about.pk] = watched

    def _leave(self, watched: Watched) -> None:
        """Takes it from wherever it is. A sign-in under way is left to end for nobody."""
        if watched.state is State.OPEN:
            self.host(watched).closed()
        self._waiting.pop(watched.about.pk, None)
        watched.state = State.WANTED
