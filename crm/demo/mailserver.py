"""The demo's mail servers seen from outside the product: fills mailboxes, sends, tells what is there."""

from __future__ import annotations

import base64
import imaplib
import json
import re
import smtplib
import socket
import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage
    from pathlib import Path

    from crm.demo.people import Person

SECONDS = 30
FOLDER_LINE = re.compile(rb'\((?P<flags>[^)]*)\) (?:"[^"]*"|NIL) "?(?P<name>[^"]+)"?$')


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """IMAP and SMTP over TLS, trusted by the CA in ``ca_file``."""

    imap_url: str
    smtp_url: str
    ca_file: str

    def fill(self, person: Person, mailbox_file: Path) -> int:
        """Puts the generated messages into the person's mailbox; how many there were."""
        filled = 0
        with self._imap(person) as imap, mailbox_file.open("rb") as lines:
            made = {"INBOX", *_folders(imap)}
            for line in lines:
                message: dict[str, Any] = json.loads(line)
                folder = message["folder"]
                if folder not in made:
                    _ok(imap.create(folder))
                    made.add(folder)
                date = imaplib.Time2Internaldate(datetime.fromisoformat(message["date"]))
                flags = r"(\Seen)" if message["seen"] else ""
                _ok(imap.append(folder, flags, date, base64.b64decode(message["raw"])))
                filled += 1
        return filled

    def message_ids(self, person: Person) -> dict[str, list[str]]:
        """Per folder the Message-IDs without angle brackets, "" for a message that has none."""
        found: dict[str, list[str]] = {}
        with self._imap(person) as imap:
            for folder in _folders(imap):
                (count,) = _ok(imap.select(f'"{folder}"', readonly=True))
                parts = _ok(imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")) if int(count) else []
                headers = [BytesHeaderParser().parsebytes(part[1]) for part in parts if isinstance(part, tuple)]
                found[folder] = [str(each.get("Message-ID", "")).strip().strip("<>") for each in headers]
        return found

    def send(self, sender: Person, message: EmailMessage) -> None:
        """Hands ``message`` to the SMTP server as ``sender``."""
        parts = urlsplit(self.smtp_url)
        with smtplib.SMTP_SSL(
            str(parts.hostname), int(parts.port or 465), timeout=SECONDS, context=self._context()
        ) as smtp:
            smtp.login(sender.address, sender.password)
            smtp.send_message(message)

    @contextmanager
    def _imap(self, person: Person) -> Iterator[imaplib.IMAP4_SSL]:
        parts = urlsplit(self.imap_url)
        with imaplib.IMAP4_SSL(
            str(parts.hostname), int(parts.port or 993), ssl_context=self._context(), timeout=SECONDS
        ) as imap:
            # An APPEND is three small writes; waiting for acknowledgements in between costs 40 ms a message.
            imap.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _ok(imap.authenticate("PLAIN", lambda _: f"\0{person.address}\0{person.password}".encode()))
            yield imap

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_file)


def _folders(imap: imaplib.IMAP4) -> list[str]:
    lines = [FOLDER_LINE.match(line) for line in _ok(imap.list()) if isinstance(line, bytes)]
    return [line["name"].decode() for line in lines if line and rb"\noselect" not in line["flags"].lower()]


def _ok(answer: tuple[str, Any]) -> list[Any]:
    status, data = answer
    if status != "OK":
        raise imaplib.IMAP4.error(f"the mail server answered {status}")
    return list(data)
