"""Commands sent ahead of their answers (RFC 9051 §5.5), so that a distant server is waited for once and not each time.

Untagged answers name no command. They are offered to every command that is still to be answered, oldest first, and
each takes what is about the UIDs, the folder or the search that it asked for: so answers may come in any order.
"""

from __future__ import annotations

import logging
import re
from collections import deque
from typing import TYPE_CHECKING, TypeVar, cast

from mailaccounts.errors import BudgetExceeded
from mailaccounts.mail.imap_responses import UnreadableAnswer, number, read_fetch, read_response
from mailaccounts.mail.responses import Condition, Refused, Status, bye_error

if TYPE_CHECKING:
    from collections.abc import Container, Generator, Iterable, Iterator

    from mailaccounts.mail.imap_responses import Attributes
    from mailaccounts.mail.types import Limits, Traffic
    from mailaccounts.mail.wire import Wire

logger = logging.getLogger(__name__)

WINDOW = 4  # commands with long answers that are under way at a time
AHEAD_OCTETS = 2**23  # expected of all of them together, unless one alone has more
COMPLETION = re.compile(rb"(W\d{1,9}) (OK|NO|BAD)(?: |\r?\n)", re.IGNORECASE)


class OverBudget(Exception):
    """A command was told more than it keeps."""


class Command:
    """A command and what was answered to it; ``status`` says how it ended, once it did.

    ``uids`` are those of FETCH answers it is interested in. ``expected`` are the octets of a long answer, as far as
    one knows, ``kept`` those it holds. ``line_bytes`` and ``lines`` replace the limits on the longest line and on the
    number of lines.
    """

    uids: Container[int] = ()
    line_bytes: int = 0
    lines: int = 0
    expected: int = 0

    def __init__(self, *words: str | bytes) -> None:
        self.words = [word.encode("ascii") if isinstance(word, str) else word for word in words]
        self.tag = b""
        self.depth = 0
        self.kept = 0
        self.status: Status | None = None

    @property
    def name(self) -> str:
        return self.words[0].decode("ascii")

    def keep(self, uid: int, attributes: Attributes) -> None:
        """Takes a FETCH answer about one of ``uids``."""

    def take(self, text: bytes, literals: list[bytes]) -> bool:
        """Takes any other untagged response, without its ``* ``, if it is an answer to this command."""
        return False

    def drop(self) -> None:
        """Nobody wants the answer any more."""
        self.uids, self.kept = (), 0

    def insist(self) -> None:
        """Raises Refused unless the command ended well."""
        assert self.status is not None  # noqa: S101 - it was waited for
        if self.status.condition is not Condition.OK:
            raise Refused(self.status)


C = TypeVar("C", bound=Command)


def begun(generator: Generator[C | None, None, None]) -> Generator[C, None, None]:
    """The generator, run up to its first ``yield``, which gives nothing: what it begins with is done at once, and not
    only when somebody wants the first value."""
    next(generator)
    return cast("Generator[C, None, None]", generator)


class Pipeline:
    """The commands of one session that are under way."""

    def __init__(self, wire: Wire, *, host: str, limits: Limits, traffic: Traffic) -> None:
        self._wire, self._host, self._limits, self._traffic = wire, host, limits, traffic
        self._under_way: dict[bytes, Command] = {}
        self._holding: dict[bytes, Command] = {}  # what was answered, in full or in part, and is not handed over yet
        self._sent = 0
        self._answered_depth = 0  # a command sent now would be the next in a chain of this many
        self._counted_depth = 0

    def ask(self, command: C) -> C:
        """Sends ``command`` and waits for its end; Refused for NO and BAD."""
        self.send(command)
        self.wait(command)
        self._holding.pop(command.tag, None)
        command.insist()
        return command

    def ask_all(self, commands: Iterable[C], *, window: int = WINDOW) -> Generator[C, None, None]:
        """Each command once it is answered, in this order, while up to ``window`` others are under way. The first are
        sent at once.

        Of those that expect much there are fewer. Whoever stops halfway leaves nothing behind but answers, which are
        read and forgotten later.
        """
        return begun(self._ask_all(iter(commands), window=window))

    def _ask_all(self, source: Iterator[C], *, window: int) -> Generator[C | None, None, None]:
        upcoming = next(source, None)
        ahead: deque[C] = deque()
        done: C | None = None
        try:
            while True:
                fresh: list[C] = []
                room = AHEAD_OCTETS - sum(each.expected for each in ahead)
                while upcoming and len(ahead) < window and (not ahead or upcoming.expected <= room):
                    room -= upcoming.expected
                    fresh.append(upcoming)
                    ahead.append(upcoming)
                    upcoming = next(source, None)
                if fresh:
                    self.send(*fresh)
                yield done  # after the next ones were sent: the server works while the caller does
                if done:
                    self._drop(done)
                if not ahead:
                    return
                self.wait(ahead[0])
                done = ahead.popleft()
        finally:
            for command in (*ahead, *([done] if done else [])):
                self._drop(command)

    def settle(self, *, but: Command | None = None) -> None:
        """Waits until nothing ``but`` one is under way: what comes next changes what answers would mean."""
        for command in [each for each in self._under_way.values() if each is not but]:
            self.wait(command)

    def send(self, *commands: Command) -> None:
        """Sends ``commands`` together and waits for nothing."""
        self._traffic.command(len(commands))
        lines = []
        for command in commands:
            self._sent += 1
            command.tag = b"W%d" % self._sent
            command.depth = self._answered_depth + 1
            self._under_way[command.tag] = command
            lines.append(b"%s %s\r\n" % (command.tag, b" ".join(command.words)))
        if self._counted_depth <= self._answered_depth:
            self._counted_depth = self._answered_depth + 1
            self._traffic.round_trips += 1
        self._begin()
        self._wire.sendall(b"".join(lines))

    def wait(self, command: Command) -> None:
        """Reads until ``command`` has ended, however it did."""
        if command.status is not None:
            return
        self._begin()
        readline = self._wire.readline
        while command.status is None:
            line = readline()
            if line.startswith(b"* "):
                self._untagged(line)
            else:
                self._tagged(line)

    def _begin(self) -> None:
        commands = self._under_way.values()
        self._wire.begin(
            line_bytes=max((each.line_bytes for each in commands), default=0) or None,
            lines=max((each.lines for each in commands), default=0) or None,
        )

    def _untagged(self, line: bytes) -> None:
        attributes = read_fetch(self._wire, line)
        try:
            if attributes is not None:
                uid = number(attributes.get(b"UID"))
                for command in self._under_way.values():
                    if uid in command.uids:
                        command.keep(uid, attributes)
                        self._hold(command)
                return
            if line[:6].upper() == b"* BYE ":
                self._wire.close()
                raise bye_error(Status.parse(Condition.BYE, line[6:]), host=self._host)
            text, literals = read_response(self._wire, line)
            for command in self._under_way.values():
                if command.take(text[2:], literals):
                    self._hold(command)
                    return
        except OverBudget:
            self._wire.close()
            raise BudgetExceeded(host=self._host) from None

    def _hold(self, command: Command) -> None:
        """Notes that ``command`` holds something; OverBudget when all of them hold too much together."""
        self._holding[command.tag] = command
        much = command.kept > self._limits.command_bytes // (2 * WINDOW)  # else it isn't worth adding up
        if much and sum(each.kept for each in self._holding.values()) > self._limits.command_bytes:
            raise OverBudget

    def _drop(self, command: Command) -> None:
        self._holding.pop(command.tag, None)
        command.drop()

    def _tagged(self, line: bytes) -> None:
        match = COMPLETION.match(line)
        command = self._under_way.pop(match[1], None) if match else None
        if match is None or command is None:
            raise UnreadableAnswer
        condition = match[2].decode("ascii").upper()
        command.status = Status.parse(condition, line[match.end() :].rstrip(b"\r\n"))
        self._answered_depth = max(self._answered_depth, command.depth)
        if command.status.condition is not Condition.OK:
            status = command.status
            logger.debug(
                "%s answered %s with %s %s %r", self._host, command.name, condition, status.code, status.text[:200]
            )
