"""Reading messages: flags, headers, bodies, each fetched ahead of the caller (RFC 9051 §6.4.5)."""

from __future__ import annotations

import time
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from mailaccounts.errors import ProtocolFault
from mailaccounts.mail import imap_fetch
from mailaccounts.mail.imap_fetch import Fetch, FetchMarks
from mailaccounts.mail.imap_login import ImapLogin
from mailaccounts.mail.imap_pipeline import WINDOW, Command, begun
from mailaccounts.mail.responses import Code, Condition, Refused, command_error
from mailaccounts.mail.types import FetchedBody
from mailaccounts.mail.uids import chunks, uid_set, wide_set

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence

    from mailaccounts.mail.imap_responses import Attributes
    from mailaccounts.mail.network import Network
    from mailaccounts.mail.types import Endpoint, FetchedHeaders, Limits, Marks

PIECE = 2**18  # octets of a long message fetched at a time; what one of unknown size counts for
BODY_BATCH = 2**20  # octets of whole messages that one command asks for
REFUSED = 100  # messages in a row that a server may refuse to hand out before it is taken to be out of order
DAMAGED = frozenset({Code.SERVERBUG, Code.CORRUPTION})  # with which servers say NO to a message at fault
MARKS_BATCH = 5000  # messages whose flags one command asks for

C = TypeVar("C", bound=Command)


class ImapReader(ImapLogin):
    """Reads the messages of the open folder. ``unreadable`` are the UIDs the server refused to hand out.

    What yields asks at once, and for more while the caller works on what he has. Other methods may be called
    meanwhile, except for ``select``: after that a RuntimeError keeps one folder's messages from being taken for
    another's.
    """

    def __init__(self, endpoint: Endpoint, *, network: Network, limits: Limits) -> None:
        super().__init__(endpoint, network=network, limits=limits)
        self.unreadable: set[int] = set()
        self._refused = 0
        self._selected: str | None = None
        self._selections = 0

    def marks(self, uids: Collection[int], *, changed_since: int | None = None) -> dict[int, Marks]:
        """The flags of these messages and, at Gmail, their labels, without those that are gone; or, given a
        modification sequence, of those among them where these changed since (RFC 7162 §3.1.4)."""
        limit = self.abilities.message_limit
        if changed_since is not None and limit is None:  # few will have changed, so it doesn't matter to ask for more
            sets = [wide_set(uids)] if uids else []
        else:
            sets = [uid_set(chunk) for chunk in chunks(sorted(uids), most=min(MARKS_BATCH, limit or MARKS_BATCH))]
        asked = frozenset(uids)
        found: dict[int, Marks] = {}
        fetch = partial(FetchMarks, uids=asked, labels=self.abilities.gmail, changed_since=changed_since)
        for told in self._ask_all(map(fetch, sets)):
            self._insist(told)
            found |= told.found
        return found

    def headers(self, uids: Sequence[int], *, batch: int = imap_fetch.BATCH) -> Iterator[list[FetchedHeaders]]:
        """What parsing, matching and threading need, in the order of ``uids``, up to ``batch`` at a time and without
        those that are gone."""
        items = imap_fetch.header_items(self.abilities)
        return map(self._headers_in, self._ask_all(Fetch(chunk, items) for chunk in self._chunks(uids, batch)))

    def _headers_in(self, sent: Fetch) -> list[FetchedHeaders]:
        found = self._found(sent)
        return [imap_fetch.as_headers(uid, found[uid]) for uid in sent.asked if uid in found]

    def bodies(self, sizes: Mapping[int, int], *, max_bytes: int) -> Iterator[FetchedBody]:
        """Whole messages, given their sizes, each cut off at ``max_bytes`` or what a literal may hold; in this order,
        without those that are gone."""
        max_bytes = min(max_bytes, self._limits.literal_bytes - 1)
        items = f"(UID BODY.PEEK[]<0.{max_bytes + 1}>)"  # the byte beyond tells whether there is more
        expected = {uid: min(size or PIECE, max_bytes) for uid, size in sizes.items()}
        batches = chain.from_iterable(self._chunks(each, imap_fetch.BATCH) for each in _by_size(expected))
        commands = (
            Fetch(chunk, items, most_octets=max_bytes + 1, expected=sum(expected[uid] for uid in chunk))
            for chunk in batches
        )
        return self._bodies_in(self._ask_all(commands), max_bytes=max_bytes)

    def _bodies_in(self, answered: Iterable[Fetch], *, max_bytes: int) -> Iterator[FetchedBody]:
        for sent in answered:
            found = self._found(sent)
            for uid in sent.asked:
                if uid not in found:
                    continue
                body = imap_fetch.as_body(uid, found.pop(uid), max_bytes=max_bytes)
                if body is None:
                    self.unreadable.add(uid)
                else:
                    yield body

    def long_body(self, uid: int, *, max_bytes: int, until: float, section: str = "") -> FetchedBody | None:
        """A message, or a ``section`` of it, piece by piece, cut off at ``max_bytes`` or, should that come first, at
        the instant ``until`` of time.monotonic(); None when it is gone or, see ``unreadable``, the server refuses to
        hand it out."""
        pieces: list[bytes] = []
        missing = max_bytes + 1  # the byte beyond tells whether there is more
        while missing > 0 and (not pieces or time.monotonic() < until):
            size = min(missing, PIECE)
            items = f"(UID BODY.PEEK[{section}]<{max_bytes + 1 - missing}.{size}>)"
            found = self._fetch([uid], items, most_octets=size)
            piece = imap_fetch.as_body(uid, found[uid], max_bytes=size) if uid in found else None
            if piece is None:
                self.unreadable.update(found)
                return None
            pieces.append(piece.raw)
            missing -= size
            if len(piece.raw) < size:
                return FetchedBody(uid=uid, raw=b"".join(pieces))
        return FetchedBody(uid=uid, raw=b"".join(pieces)[:max_bytes], truncated=True)

    def _chunks(self, uids: Sequence[int], most: int) -> Iterable[Sequence[int]]:
        return chunks(uids, most=min(most, self.abilities.message_limit or most))

    def _ask_all(self, commands: Iterable[C], *, window: int = WINDOW) -> Iterator[C]:
        """Each command when it has ended, however it did, with others under way."""
        return begun(self._answered(commands, window=window))

    def _answered(self, commands: Iterable[C], *, window: int) -> Generator[C | None, None, None]:
        selections = self._selections
        with self._talking():
            answered = self._live().pipeline.ask_all(commands, window=window)
        try:
            yield None
            while True:
                if self._selections != selections:
                    raise RuntimeError("another folder was opened meanwhile")
                with self._talking():
                    self._live()
                    command = next(answered, None)
                if command is None:
                    return
                yield command
        finally:
            answered.close()

    def _insist(self, command: Command) -> None:
        """Raises what the end of ``command`` stands for, unless it is a good one."""
        with self._talking():
            command.insist()

    def _fetch(self, uids: Sequence[int], items: str, *, most_octets: int) -> dict[int, Attributes]:
        command = Fetch(uids, items, most_octets=most_octets)
        with self._talking():
            pipeline = self._live().pipeline
            pipeline.send(command)
            pipeline.wait(command)
        return self._found(command)

    def _found(self, command: Fetch) -> dict[int, Attributes]:
        """What was found; a message that makes the server say NO is found by halving and left out."""
        try:
            command.insist()
        except Refused as refusal:
            error = command_error(refusal.status, host=self._endpoint.host)
            told = refusal.status.code in DAMAGED or type(error) is ProtocolFault
            damaged = told and refusal.status.condition is Condition.NO
            if not damaged or self._refused >= REFUSED:
                raise error from None
        else:
            self._refused = 0
            return command.found
        found = dict(command.found)
        if len(command.asked) == 1:
            if not found:
                self.unreadable.update(command.asked)
                self._refused += 1
            return found
        missing = [uid for uid in command.asked if uid not in found]
        middle = (len(missing) + 1) // 2
        for half in filter(None, (missing[:middle], missing[middle:])):
            found |= self._fetch(half, command.items, most_octets=command.most_octets)
        return found


def _by_size(sizes: Mapping[int, int]) -> Iterator[list[int]]:
    """Cuts messages where together they reach BODY_BATCH; at least one each."""
    batch: list[int] = []
    octets = 0
    for uid, size in sizes.items():
        if batch and octets + size > BODY_BATCH:
            yield batch
            batch, octets = [], 0
        batch.append(uid)
        octets += size
    if batch:
        yield batch
