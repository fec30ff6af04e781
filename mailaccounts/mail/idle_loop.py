"""Thousands of connections that wait for news, kept by one thread: a selector and a heap of what is due when."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import selectors
import socket
import time
from typing import TYPE_CHECKING

from mailaccounts.errors import MailAccountsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailaccounts.mail.idle import Idle
    from mailaccounts.mail.types import Meter

LONGEST_WAIT = 60.0


class IdleLoop:
    """Keeps connections by a number of the caller's. Not for several threads, but for ``wake``."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._idles: dict[int, Idle] = {}
        self._due: list[tuple[float, int, int, Idle]] = []  # for each an entry that is as planned
        self._order = itertools.count()
        self._alarm, self._bell = socket.socketpair()
        for end in (self._alarm, self._bell):
            end.setblocking(False)
        self._selector.register(self._alarm, selectors.EVENT_READ)

    def __len__(self) -> int:
        return len(self._idles)

    def __iter__(self) -> Iterator[int]:
        return iter(list(self._idles))

    def __contains__(self, number: int) -> bool:
        return number in self._idles

    def meters(self) -> dict[int, Meter]:
        """What holds the place of each connection at its server."""
        return {number: idle.meter for number, idle in self._idles.items() if idle.meter is not None}

    def add(self, number: int, idle: Idle) -> None:
        """Keeps ``idle``, and closes what was kept by that number before."""
        self.remove(number)
        self._idles[number] = idle
        self._selector.register(idle.socket, selectors.EVENT_READ, number)
        self._plan(number, idle)

    def remove(self, number: int, *, politely: bool = False) -> None:
        """Closes a connection; harmless when there is none."""
        idle = self._idles.pop(number, None)
        if idle is not None:
            self._selector.unregister(idle.socket)
            idle.close(politely=politely)

    def wait(self, seconds: float) -> Iterator[tuple[int, MailAccountsError | None]]:
        """Waits for news, ``seconds`` at most, and gives the numbers of connections whose folder changed, and of
        those that are lost, with the error. Renews what is due meanwhile."""
        now = time.monotonic()
        first_due = self._due[0][0] - now if self._due else LONGEST_WAIT
        for key, _ in self._selector.select(max(0.0, min(seconds, first_due, LONGEST_WAIT))):
            if key.data is None:
                self._hush()
            else:
                yield from self._read(key.data)
        yield from self._turn_due()

    def wake(self) -> None:
        """Ends a ``wait``; from any thread, and from a signal handler."""
        with contextlib.suppress(OSError):  # as many bells as fit are enough, and none when it is over
            self._bell.send(b"!")

    def close(self) -> None:
        """Closes every connection, saying goodbye."""
        for number in list(self._idles):
            self.remove(number, politely=True)
        self._due.clear()
        self._selector.close()
        self._alarm.close()
        self._bell.close()

    def _hush(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._alarm.recv(1024):
                pass

    def _read(self, number: int) -> Iterator[tuple[int, MailAccountsError | None]]:
        idle = self._idles.get(number)
        if idle is None:  # removed by whoever heard of an earlier one
            return
        try:
            changed = idle.read(time.monotonic())
        except MailAccountsError as error:
            self.remove(number)
            yield number, error
        else:
            if idle.due < idle.planned:
                self._plan(number, idle)
            if changed:
                yield number, None

    def _turn_due(self) -> Iterator[tuple[int, MailAccountsError | None]]:
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            planned, _, number, idle = heapq.heappop(self._due)
            if self._idles.get(number) is not idle or planned != idle.planned:
                continue
            try:
                if idle.due <= now:
                    idle.turn(now)
            except MailAccountsError as error:
                self.remove(number)
                yield number, error
            else:
                self._plan(number, idle)

    def _plan(self, number: int, idle: Idle) -> None:
        idle.planned = idle.due
        heapq.heappush(self._due, (idle.due, next(self._order), number, idle))
