"""What the matched messages of a batch say: their bodies, portion by portion, each once however many copies lie there.

No body of another message is ever asked for.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from mailaccounts.conf import settings
from mailaccounts.mail.parse import parse_message
from mailaccounts.models import Fault
from mailaccounts.services.limits import lease

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from mailaccounts.mail.parse import Content
    from mailaccounts.mail.types import FetchedBody
    from mailaccounts.services.syncing.found import Found
    from mailaccounts.services.syncing.quarantine import Troublesome
    from mailaccounts.services.syncing.work import Work

logger = logging.getLogger(__name__)

PARTICIPANT_BYTES = 400  # what one counts for in a portion: it becomes a row
AT_ONCE = 4  # batches of bodies in a portion: as many are asked for before the first has come

Parsed = TypeVar("Parsed")


class OutOfTime(Exception):
    """A message didn't come before the deadline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Bodies of a portion that are on their way: ``missing`` are their fingerprints by UID, ``long`` those messages
    among them whose turn comes one by one."""

    portion: Sequence[Found]
    missing: dict[int, str]
    short: Iterator[FetchedBody]
    long: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bodies:
    """Fetches from the open folder. ``trouble`` are the messages whose bodies can't be had."""

    work: Work
    folder_id: int
    trouble: list[Troublesome] = field(default_factory=list)

    def ask(
        self,
        portion: Sequence[Found],
        *,
        known: Collection[str],
        have: Collection[str] = (),
        gone: Collection[int] = (),
    ) -> Asked:
        """Asks for the bodies of ``portion`` that are not ``known``, one of each message, and waits for nothing. None
        is asked for once the account isn't ours any more: LeaseLost."""
        lease.insist(self.work.held)
        missing = _one_each(portion, known=known, have=have, gone=gone)
        sizes = {each.uid: each.size for each in portion if each.uid in missing}
        short = {uid: size for uid, size in sizes.items() if size <= settings.body_batch_bytes}
        bodies = self.work.session.bodies(short, max_bytes=settings.max_message_bytes)
        return Asked(portion=portion, missing=missing, short=bodies, long=sorted(sizes.keys() - short))

    def complete(self, asked: Asked, *, known: Collection[str]) -> list[Found]:
        """The messages of the portion with what they say, unless that is stored; without those that are gone.

        Of copies of one message one body is fetched, and the next one's if the first has just been expunged. OutOfTime
        for one that is too long for the time that is left.
        """
        portion = asked.portion
        contents: dict[str, Content | None] = {}
        gone: set[int] = set()
        while missing := asked.missing:
            for uid, parse in self._fetch(asked):
                self.work.report.bodies_fetched += 1
                content = isolated(parse, folder_id=self.folder_id, uid=uid)
                contents[missing.pop(uid)] = content
                if content is None:
                    self._blame(portion, uid, Fault.UNREADABLE)
            for uid, fingerprint in missing.items():
                if uid in self.work.session.unreadable:
                    contents[fingerprint] = None  # it is there, but the server won't hand it out
                    self._blame(portion, uid, Fault.UNFETCHABLE)
                gone.add(uid)
            asked = self.ask(portion, known=known, have=contents, gone=gone)
        kept = []
        for each in portion:
            fingerprint = each.headers.fingerprint
            if fingerprint in contents:
                kept.append(replace(each, content=contents[fingerprint]))
            elif fingerprint in known:
                kept.append(each)
        return kept

    def _blame(self, portion: Sequence[Found], uid: int, fault: Fault) -> None:
        self.trouble.extend(each.in_trouble(fault) for each in portion if each.uid == uid)

    def _fetch(self, asked: Asked) -> Iterator[tuple[int, Callable[[], Content]]]:
        """The bodies, to be parsed. A long one that doesn't come in time is left to the next sync, which begins with
        it, unless it had half of this one: then the server won't be faster, and what came has to do."""
        limit = settings.max_message_bytes
        for body in asked.short:
            yield body.uid, partial(parse_message, body.raw, truncated=body.truncated)
        until = self.work.deadline + (settings.lease_seconds - settings.sync_budget) / 2
        for uid in asked.long:
            lease.insist(self.work.held)
            started = time.monotonic()
            parse, late = self._fetch_long(uid, max_bytes=limit, until=until)
            if late and started > self.work.deadline - settings.sync_budget / 2:
                raise OutOfTime
            if parse is not None:
                yield uid, parse

    def _fetch_long(self, uid: int, *, max_bytes: int, until: float) -> tuple[Callable[[], Content] | None, bool]:
        """What is to be read of it, where the server tells which parts that are, else all of it, to be parsed; and
        whether time ran out before it was there."""
        parts = self.work.session.parts(uid, max_bytes=max_bytes, until=until)
        if parts is not None:
            return parts.content, parts.late
        body = self.work.session.long_body(uid, max_bytes=max_bytes, until=until)
        if body is None:
            return None, False
        return partial(parse_message, body.raw, truncated=body.truncated), body.truncated and len(body.raw) < max_bytes


def isolated(parse: Callable[[], Parsed], *, folder_id: int, uid: int) -> Parsed | None:
    """What ``parse`` gives, or None: one bad message never stops a folder."""
    try:
        return parse()
    except Exception as error:  # noqa: BLE001 - the parser promises not to raise; mail finds a way
        logger.error("folder %d: UID %d can't be parsed: %s", folder_id, uid, type(error).__name__)
        return None


def portions(letters: Sequence[Found], *, wanted: Collection[int], known: Collection[str]) -> Iterator[list[Found]]:
    """Cuts ``letters`` where the bodies still to fetch, and the participants, fill ``AT_ONCE`` batches; at least one
    portion."""
    most = AT_ONCE * settings.body_batch_bytes
    portion: list[Found] = []
    size = 0
    for each in letters:
        needed = 0
        if each.uid in wanted:
            needed = PARTICIPANT_BYTES * len(each.headers.mailboxes)
        if each.uid in wanted and each.headers.fingerprint not in known:
            needed += min(each.size, settings.max_message_bytes)
        if portion and needed and size + needed > most:
            yield portion
            portion, size = [], 0
        portion.append(each)
        size += needed
    yield portion


def _one_each(
    portion: Sequence[Found], *, known: Collection[str], have: Collection[str], gone: Collection[int]
) -> dict[int, str]:
    """Per message whose body is missing, the UID of one copy: {uid: fingerprint}."""
    ask: dict[str, int] = {}
    for each in portion:
        fingerprint = each.headers.fingerprint
        if each.uid not in gone and fingerprint not in known and fingerprint not in have:
            ask.setdefault(fingerprint, each.uid)
    return {uid: fingerprint for fingerprint, uid in ask.items()}
