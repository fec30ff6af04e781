"""What mail servers may be asked for, by all workers together: connections at once, commands, bytes a day, and rests.

Providers limit each mailbox, and its owner's other mail programs live off the same allowance: half of it is ours. The
cache counts, so that workers have to share one for that.
"""

from __future__ import annotations

import hashlib
import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from mailaccounts import presets
from mailaccounts.conf import settings
from mailaccounts.errors import AllowanceSpent, Throttled
from mailaccounts.services.limits import shared, slots

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from mailaccounts.mail.types import Traffic
    from mailaccounts.presets import ProviderLimits
    from mailaccounts.services.limits.slots import Slot

OURS = 0.5  # of what a provider allows a mailbox
CONNECTIONS = 8  # where it doesn't say: Exchange has let so many in, and Dovecot lets ten
COMMANDS = 10_000  # in ten minutes, where it doesn't say: no honest sync needs more
SLOT_SECONDS = 180.0  # longer than a proof takes
HELD_SECONDS = 45.0  # that a connection which is watched is held for, unless its watcher ``keeps`` it
KEEP_SECONDS = 15.0  # between two times that it does
ROOM_SECONDS = 30.0  # after which one may look for a free connection again
SETTLE_COMMANDS, SETTLE_BYTES = 50, 2**20  # what a session may spend before it is counted
WINDOW, DAY = 600, 86_400

WAIT_SECONDS = 20.0  # that a worker stands by for a slot
POLL_SECONDS = 0.2
PAUSE_SECONDS = 60.0  # where a server that asks for a rest doesn't say how long
LONGEST_PAUSE = 3600.0

SINCE = "mailaccounts:budget:since"  # when the cache began to remember: what was before, a restart has made it forget

logger = logging.getLogger(__name__)


class Meter:
    """What one session may spend of a mailbox's allowance: holds its connection, and counts commands and bytes."""

    def __init__(self, host: str, mailbox: str, *, session_seconds: float) -> None:
        """Takes a connection; AllowanceSpent when none is free, the mailbox has spent what it has, or has to rest."""
        self._host, self._key = host, _key(host, mailbox)
        self._limits = _limits(host)
        self._commands = self._bytes = 0
        self._silence = session_seconds
        self._insist()
        self.slots = self._connect(seconds=self._silence)
        self._held_at = time.monotonic()

    def spend(self, traffic: Traffic) -> None:
        """Counts what was spent since the last time, once that is worth the while; AllowanceSpent when it was the
        last there is."""
        now = time.monotonic()
        if traffic.handed_over or now - self._held_at > self._silence / 10:
            self._held_at = now
            slots.renew(self.slots, HELD_SECONDS if traffic.handed_over else self._silence)
        commands, received = traffic.commands - self._commands, traffic.bytes_received - self._bytes
        if commands >= SETTLE_COMMANDS or received >= SETTLE_BYTES:
            self._settle(traffic)
            self._insist()

    def close(self, traffic: Traffic) -> None:
        """Counts the rest and lets go of the connection."""
        taken, self.slots = self.slots, []
        for slot in taken:
            slot.release()
        if taken:
            self._settle(traffic)

    def replace(self, lost: Collection[Slot]) -> bool:
        """Takes a connection instead of the one that others have by now; False when there is none."""
        for slot in self.slots:
            if slot not in lost:
                slot.release()
        self.slots = []
        try:
            self.slots = self._connect(seconds=HELD_SECONDS)
        except AllowanceSpent:
            return False
        return True

    def _connect(self, *, seconds: float) -> list[Slot]:
        """A connection of the mailbox's, and one of all that the provider lets us have where it says so. While the
        cache may have forgotten some of them, only half."""
        own = max(1, int(self._limits.connections * OURS)) if self._limits.connections else CONNECTIONS
        rooms = [(self._key, own)]
        if self._limits.connections_in_all:
            rooms.append((_key(self._host), self._limits.connections_in_all))
        share = 2 if time.time() - self._since < HELD_SECONDS else 1
        taken: list[Slot] = []
        for key, among in rooms:
            slot = slots.take(f"{key}:connection", among=max(1, among // share), seconds=seconds)
            if slot is None:
                for each in taken:
                    each.release()
                raise AllowanceSpent(host=self._host, retry_after=ROOM_SECONDS)
            taken.append(slot)
        return taken

    def _insist(self) -> None:
        """That the mailbox needn't rest, and has commands and bytes left."""
        now, counters = time.time(), self._counters()
        known = shared.get_many([SINCE, f"{self._key}:rests", *(each.key for each in counters)])
        since: float = known.get(SINCE, now)
        if SINCE not in known and shared.add(SINCE, now, None):
            logger.info("the shared cache is empty: what mail servers were asked for is counted anew")
        self._since = since
        waits = [each.seconds - now % each.seconds for each in counters if each.is_spent(known, since=since)]
        wait = max([known.get(f"{self._key}:rests", 0.0) - now, *waits])
        if wait > 0:
            raise AllowanceSpent(host=self._host, retry_after=wait)

    def _settle(self, traffic: Traffic) -> None:
        spent = (traffic.commands - self._commands, traffic.bytes_received - self._bytes)
        self._commands, self._bytes = traffic.commands, traffic.bytes_received
        for counter, amount in zip(self._counters(), spent, strict=False):
            counter.add(amount)

    def _counters(self) -> list[_Counter]:
        """Of commands and, where the provider limits them, of bytes; each window begins with nothing spent."""
        allowed = self._limits.commands_per_ten_minutes
        counters = [_Counter.now(f"{self._key}:commands", int(allowed * OURS) if allowed else COMMANDS, WINDOW)]
        if allowed := self._limits.download_bytes_per_day:
            counters.append(_Counter.now(f"{self._key}:bytes", int(allowed * OURS), DAY))
        return counters


@dataclass(frozen=True, slots=True)
class _Counter:
    """What may be spent within a window of so many ``seconds``."""

    key: str
    limit: int
    seconds: int

    @classmethod
    def now(cls, key: str, limit: int, seconds: int) -> Self:
        return cls(f"{key}:{int(time.time() // seconds)}", limit, seconds)

    def is_spent(self, known: Mapping[str, int], *, since: float) -> bool:
        """What was spent before ``since`` nobody knows: as much as the whole limit would have allowed by then, but for
        a tenth."""
        begun = since % self.seconds / self.seconds if since // self.seconds == time.time() // self.seconds else 0.0
        return known.get(self.key, 0) >= self.limit * max(1 - begun, 0.1)

    def add(self, amount: int) -> None:
        shared.count(self.key, amount, seconds=2 * self.seconds)


def keep(held: Mapping[int, Meter]) -> list[int]:
    """For connections that are watched, every KEEP_SECONDS: they are still there. Which of them have to be closed,
    since others have their places."""
    lost = set(slots.renew([slot for meter in held.values() for slot in meter.slots], HELD_SECONDS))
    return [number for number, meter in held.items() if not lost.isdisjoint(meter.slots) and not meter.replace(lost)]


def connections_in_use(hosts: Iterable[str]) -> dict[str, int]:
    """How many connections all workers have together, at those of these servers that limit them for all mailboxes."""
    limits = {host: limit for host in hosts if (limit := _limits(host).connections_in_all)}
    keys = {host: slots.keys(f"{_key(host)}:connection", among=limit) for host, limit in limits.items()}
    taken = shared.get_many([key for each in keys.values() for key in each])
    return {host: sum(key in taken for key in each) for host, each in keys.items()}


def rest(host: str, mailbox: str, seconds: float | None) -> None:
    """Leaves a mailbox alone whose server has asked any of the workers to slow down."""
    pause = min(seconds or ROOM_SECONDS, LONGEST_PAUSE)
    shared.put(f"{_key(host, mailbox)}:rests", time.time() + pause, pause)


@contextmanager
def at_most(host: str) -> Iterator[None]:
    """Work at the mail server ``host``, MOVES_AT_ONCE at a time. Throttled when there is no room, and while the server
    has asked any of the workers to slow down."""
    key = f"mailaccounts:moves:{host.lower()}"
    slot = _stand_by(key, host)
    try:
        yield
    except Throttled as error:
        seconds = min(error.retry_after or PAUSE_SECONDS, LONGEST_PAUSE)
        shared.put(f"{key}:rests", time.time() + seconds, seconds)
        raise
    finally:
        slot.release()


def _stand_by(key: str, host: str) -> Slot:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        rests = shared.get(f"{key}:rests", 0.0) - time.time()
        if rests > 0:
            raise Throttled(host=host, retry_after=rests)
        slot = slots.take(key, among=settings.moves_at_once, seconds=SLOT_SECONDS)
        if slot is not None:
            return slot
        if time.monotonic() > deadline:
            raise Throttled(host=host, retry_after=PAUSE_SECONDS)
        time.sleep(POLL_SECONDS)


def _limits(host: str) -> ProviderLimits:
    known = presets.for_host(host, extra=settings.extra_presets)
    return known.limits if known else presets.ProviderLimits()


def _key(host: str, mailbox: str = "") -> str:
    """Addresses are nothing to put into a cache that others may read, nor do all of them make a key."""
    digest = hashlib.blake2b(mailbox.lower().encode(), digest_size=12).hexdigest() if mailbox else "all"
    return f"mailaccounts:budget:{host.lower()}:{digest}"
