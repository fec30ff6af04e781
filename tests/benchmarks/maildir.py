"""Mailboxes written straight into Dovecot's maildir, which takes seconds where APPEND takes minutes."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from crm.contacts import save_contact
from mailaccounts.testing.mailbox import Person, generate
from mailaccounts.testing.sandbox.process import UNPRIVILEGED

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sandbox_fixtures import SandboxMailbox

CONTACTS = [Person(name=f"Contact {number}", address=f"contact{number}@customer.test") for number in range(400)]
LETTER = """\
From: {sender}\r
To: me@sandbox.test\r
Subject: Letter {number}\r
Date: {date:%a, %d %b %Y %H:%M:%S} +0000\r
Message-ID: <{number}@letters.test>\r
\r
{text}\r
"""


@dataclass(slots=True, kw_only=True)
class Maildir:
    """The mail of a sandbox mailbox as files; Dovecot gives UIDs in the order they were written."""

    mailbox: SandboxMailbox
    written: int = 0

    @property
    def root(self) -> Path:
        home = self.mailbox.sandbox.directory / "dovecot"
        return home.resolve() / "mail" / self.mailbox.address.lower()

    def write(self, raw: bytes, *, when: datetime, folder: str = "INBOX", seen: bool = False) -> None:
        """``when`` (aware) is its internal date."""
        place = self._folder(folder)
        self.written += 1
        lines = len(raw) + raw.count(b"\n") - raw.count(b"\r\n")  # as IMAP counts: each line end is two octets
        stamp = int(when.timestamp())
        name = f"{1_700_000_000 + self.written}.M{self.written:09}P1.sandbox,S={len(raw)},W={lines}:2,{'S' * seen}"
        path = place / name
        path.write_bytes(raw)
        os.utime(path, (stamp, stamp))

    def _folder(self, name: str) -> Path:
        place = self.root if name == "INBOX" else self.root / f".{name}"
        if not (place / "cur").is_dir():
            for each in (self.root, place, *(place / part for part in ("cur", "new", "tmp"))):
                each.mkdir(mode=0o700, exist_ok=True)
                if os.geteuid() == 0:
                    shutil.chown(each, *UNPRIVILEGED)
        return place / "cur"


def know_contacts() -> None:
    """Those of the mailboxes below are the CRM's from now on."""
    for person in CONTACTS:
        save_contact(name=person.name, addresses=[person.address])


def write_generated(maildir: Maildir, count: int) -> tuple[set[str], set[str]]:
    """Conversations with contacts and everything else; the Message-IDs of what belongs into the store, where a message
    has one, and of what may be there as well or not."""
    know_contacts()
    owner = Person(name="Anna Owner", address=maildir.mailbox.address)
    wanted, unsure = set(), set()
    for message in generate(count, seed=1, owner=owner, contacts=CONTACTS):
        maildir.write(message.raw, when=message.date, folder=message.folder, seen=message.seen)
        if message.truth.matched and message.truth.message_id:
            (unsure if "matched" in message.truth.unsure else wanted).add(message.truth.message_id)
    return wanted, unsure


def write_plain(maildir: Maildir, count: int, *, contacts_every: int = 8, text: str = "Good morning") -> None:
    """So many short letters to INBOX, every eighth from a contact."""
    know_contacts()
    now = datetime.now(UTC)
    for _ in range(count):
        number = maildir.written
        sender = CONTACTS[number % len(CONTACTS)].address if number % contacts_every == 0 else "offers@shop.test"
        date = now - timedelta(minutes=count) + timedelta(minutes=number)
        raw = LETTER.format(sender=sender, number=number, date=date, text=text)
        maildir.write(raw.encode(), when=date)
