"""What the story is judged by: the mail server, the truth about the generated mail, and what the worker reported."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

REPORT = re.compile(
    r"account \d+: sync: \d+ folders, (?P<examined>\d+) examined, \d+ matched, (?P<stored>\d+) stored, "
    r"(?P<bodies>\d+) bodies fetched"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one sync said it did."""

    examined: int
    stored: int
    bodies: int

    @classmethod
    def read_all(cls, log: Path) -> list[Report]:
        """Every sync's report in the worker's log, oldest first."""
        found = REPORT.finditer(log.read_text(errors="replace"))
        return [cls(**{name: int(figure) for name, figure in match.groupdict().items()}) for match in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message as the generator, or the story, wrote it; Message-ID "" when it has none."""

    message_id: str
    thread: int
    matched: bool
    people: frozenset[str]


@dataclass(slots=True)
class Truth:
    """Each message once, however many folders hold it."""

    letters: list[Letter] = field(default_factory=list)
    copies: int = 0

    @classmethod
    def of(cls, mailbox_file: Path) -> Truth:
        truth = cls()
        with mailbox_file.open(encoding="utf-8") as lines:
            for line in lines:
                message = json.loads(line)
                if message["copy"]:
                    truth.copies += 1
                    continue
                people = frozenset(address["address"] for address in message["addresses"])
                truth.add(message["message_id"], message["thread"], matched=message["matched"], people=people)
        return truth

    def add(self, message_id: str, thread: int, *, matched: bool, people: Iterable[str]) -> None:
        self.letters.append(Letter(message_id=message_id, thread=thread, matched=matched, people=frozenset(people)))

    @property
    def expected(self) -> Counter[str]:
        """Message-IDs that belong in the store."""
        return Counter(letter.message_id for letter in self.letters if letter.matched)

    def with_person(self, address: str) -> Counter[str]:
        """Message-IDs that belong on the person's timeline."""
        return Counter(letter.message_id for letter in self.letters if address in letter.people)

    def conversations_with(self, address: str) -> Counter[str]:
        """Message-IDs of every thread the person takes part in."""
        threads = {letter.thread for letter in self.letters if address in letter.people}
        return Counter(letter.message_id for letter in self.letters if letter.thread in threads)

    def is_on(self, server: Mapping[str, list[str]]) -> bool:
        """Whether the server holds exactly these messages."""
        held = sum(len(ids) for ids in server.values())
        return held == len(self.letters) + self.copies and {each for ids in server.values() for each in ids} == {
            letter.message_id for letter in self.letters
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Server and store, by Message-ID. ``strange`` is what the store holds and shouldn't."""

    stored: int
    lost: int
    doubled: int
    strange: int

    @classmethod
    def of(cls, stored: Counter[str], *, expected: Counter[str]) -> Comparison:
        surplus = stored - expected
        return cls(
            stored=stored.total(),
            lost=(expected - stored).total(),
            doubled=sum(count for message_id, count in surplus.items() if message_id in expected),
            strange=sum(count for message_id, count in surplus.items() if message_id not in expected),
        )

    @property
    def agrees(self) -> bool:
        return not (self.lost or self.doubled or self.strange)
