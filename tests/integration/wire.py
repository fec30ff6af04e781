"""What clients have asked a mail server for, message by message, read from the server's own record of the wire."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.sandbox_fixtures import SandboxMailbox

Place = tuple[str, int]  # folder and UID

OPENED = re.compile(r'\S+ EXAMINE "?([^"(]+?)"?(?: \(.*\))?')
FETCH = re.compile(r"\S+ UID FETCH (?P<uids>[\d:,]+) \((?P<items>.+?)\)(?: \(CHANGEDSINCE .+\))?")
CHANGES = re.compile(r" (SELECT|STORE|COPY|MOVE|EXPUNGE|APPEND) ")
SECTION = re.compile(r"BODY\.PEEK\[([^]]*)\]")


@dataclass(frozen=True, slots=True)
class Wire:
    """How often of each message the headers were asked for, and anything of what it says: a part, or its structure."""

    headers: Counter[Place] = field(default_factory=Counter)
    bodies: Counter[Place] = field(default_factory=Counter)


def read_wire(mailbox: SandboxMailbox) -> Wire:
    """All that was asked for so far. AssertionError for a command that could change something in the mailbox, if only
    whether a message is seen."""
    wire, folder = Wire(), ""
    for log in mailbox.rawlogs():
        for command in log.commands:
            assert not CHANGES.search(command), command
            if opened := OPENED.fullmatch(command):
                folder = opened[1]
            if " FETCH " in command:
                _note(wire, folder, command)
    return wire


def uids_of(text: str) -> set[int]:
    """The UIDs in a set as IMAP writes it."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition(":")
        found.update(range(int(first), int(last or first) + 1))
    return found


def _note(wire: Wire, folder: str, command: str) -> None:
    fetch = FETCH.fullmatch(command)
    assert fetch, command
    sections = SECTION.findall(fetch["items"])
    rest = SECTION.sub("", fetch["items"])
    assert not re.search(r"BODY\[|BODY(?!STRUCTURE)|RFC822(?!\.SIZE)", rest), command  # these set \Seen
    places = [(folder, uid) for uid in uids_of(fetch["uids"])]
    if any(each.startswith("HEADER.FIELDS (") for each in sections):
        wire.headers.update(places)
    if "BODYSTRUCTURE" in rest or any(not each.startswith("HEADER.FIELDS (") for each in sections):
        wire.bodies.update(places)
