"""LIST and STATUS, in one command where the server can (RFC 9051 §6.3.9, §6.3.11, RFC 5819)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailaccounts.mail.imap_folders import folder_name
from mailaccounts.mail.imap_pipeline import Command
from mailaccounts.mail.types import FolderStatus

if TYPE_CHECKING:
    from mailaccounts.mail.abilities import Abilities

STATUS = re.compile(
    rb"STATUS (?P<name>\"(?:[^\"\\]|\\.)*\"|\{\d+\}\r?\n|[^\s\"{]\S*) \((?P<items>.*)\)\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
ITEM = re.compile(rb"([A-Z]+) (?:(\d{1,19})(?!\d)|\(([A-Za-z0-9_-]{1,255})\))", re.IGNORECASE)


def status_items(abilities: Abilities) -> str:
    """What we want to know of a folder, as far as the server has it."""
    items = ["MESSAGES", "UIDNEXT", "UIDVALIDITY"]
    if abilities.condstore:
        items.append("HIGHESTMODSEQ")
    if abilities.object_id:
        items.append("MAILBOXID")
    return f"({' '.join(items)})"


class List(Command):
    """LIST of every folder; ``lines`` and ``statuses`` are what was told, by folder name."""

    def __init__(self, *options: str) -> None:
        super().__init__("LIST", '""', '"*"', *([f"RETURN ({' '.join(options)})"] if options else []))
        self.folders: list[tuple[bytes, bytes | None]] = []
        self.statuses: dict[str, FolderStatus] = {}

    def take(self, text: bytes, literals: list[bytes]) -> bool:
        if text[:5].upper() == b"LIST ":
            line = text[5:].partition(b"\r\n")[0]
            self.folders.append((line, literals[0] if literals else None))
        elif text[:7].upper() == b"STATUS ":
            told = read_status(text, literals)
            if told is not None:
                self.statuses[told[0]] = told[1]
        else:
            return False
        self.kept += len(text) + sum(map(len, literals))
        return True


class AskStatus(Command):
    """STATUS of one folder, which must not be the open one (RFC 9051 §6.3.11)."""

    def __init__(self, name: str, quoted: bytes, items: str) -> None:
        super().__init__("STATUS", quoted, items)
        self.folder = name
        self.told: FolderStatus | None = None

    def take(self, text: bytes, literals: list[bytes]) -> bool:
        told = read_status(text, literals)
        if told is None or told[0] != self.folder:
            return False
        self.told = told[1]
        return True


def read_status(text: bytes, literals: list[bytes]) -> tuple[str, FolderStatus] | None:
    """A STATUS response as folder and status; None when it is none, or doesn't tell what we need."""
    match = STATUS.match(text)
    name = folder_name(match["name"].rstrip(), literals[0] if literals else None) if match else None
    if match is None or name is None:
        return None
    told: dict[bytes, int] = {}
    mailbox_id = ""
    for key, digits, text_value in ITEM.findall(match["items"]):
        if digits:
            told[key.upper()] = int(digits)
        elif key.upper() == b"MAILBOXID":
            mailbox_id = text_value.decode("ascii")
    try:
        status = FolderStatus(
            uidvalidity=told[b"UIDVALIDITY"],
            uidnext=told[b"UIDNEXT"],
            exists=told[b"MESSAGES"],
            highestmodseq=told.get(b"HIGHESTMODSEQ") or None,
            mailbox_id=mailbox_id,
        )
    except KeyError:
        return None
    usable = status.uidvalidity > 0 and max(told.values()) < 2**63
    return (name, status) if usable else None
