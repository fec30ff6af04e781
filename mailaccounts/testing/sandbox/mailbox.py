"""Reading and filling a sandbox mailbox over IMAP, for set-up and for judging what a test left behind."""

from __future__ import annotations

import contextlib
import email.parser
import email.policy
import imaplib
import re
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from mailaccounts.testing.sandbox.users import SandboxUser

MARK = b'("name" "mailaccounts-sandbox")'
"""What the sandbox's own sessions say in ID, so that its traffic can be told from a client's."""

TRUSTED_SECONDS = 5
"""A connection used this recently is taken to be alive."""

LIST_LINE = re.compile(rb'\((?P<flags>[^)]*)\) (?:"[^"]*"|NIL) (?P<name>.+)')


class Mailbox:
    """One user's mailbox through one connection that is opened when needed and kept."""

    def __init__(self, user: SandboxUser, *, port: int, ca_file: Path) -> None:
        self.user = user
        self._port = port
        self._context = ssl.create_default_context(cafile=str(ca_file))
        self._connection: imaplib.IMAP4_SSL | None = None
        self._lock = threading.Lock()
        self._used = 0.0  # when, by the monotonic clock

    def append(self, raw: bytes, *, folder: str = "INBOX", when: datetime | None = None, flags: str = "") -> None:
        """Files a message; a folder that is missing is made. ``when`` (aware) is its internal date."""
        date = imaplib.Time2Internaldate(when if when is not None else time.time())
        with self._session() as imap:
            status, _ = imap.append(quoted(folder), flags, date, raw)
            if status != "OK":
                check(imap.create(quoted(folder)))
                check(imap.append(quoted(folder), flags, date, raw))

    def message_ids(self) -> dict[str, list[str]]:
        """Per folder the Message-IDs in the order of UIDs; "" for a message without one."""
        with self._session() as imap:
            return {folder: self._ids_in(imap, folder) for folder in folders(imap)}

    def delete(self, message_id: str, *, folder: str = "INBOX") -> None:
        """Removes a message for good."""
        with self._session() as imap:
            check(imap.select(quoted(folder)))
            (found,) = check(imap.uid("SEARCH", "HEADER", "Message-ID", quoted(message_id)))
            for uid in found.split():
                check(imap.uid("STORE", uid.decode(), "+FLAGS", r"(\Deleted)"))
            check(imap.expunge())
            imap.close()

    def close(self) -> None:
        """Lets the connection go; the next use opens another."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(imaplib.IMAP4.error, OSError):
                connection.logout()

    @contextlib.contextmanager
    def _session(self) -> Iterator[imaplib.IMAP4_SSL]:
        with self._lock:
            yield self._connected()

    def _connected(self) -> imaplib.IMAP4_SSL:
        idle, self._used = time.monotonic() - self._used, time.monotonic()
        if self._connection is not None and idle < TRUSTED_SECONDS:
            return self._connection
        if self._connection is not None:
            with contextlib.suppress(imaplib.IMAP4.error, OSError):
                check(self._connection.noop())
                return self._connection
        connection = imaplib.IMAP4_SSL("localhost", self._port, ssl_context=self._context, timeout=30)
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else 40 ms for each literal
        credentials = f"\0{self.user.address}\0{self.user.password}".encode()
        check(connection.authenticate("PLAIN", lambda _: credentials))
        check(connection.xatom("ID", MARK.decode()))
        self._connection = connection
        return connection

    @staticmethod
    def _ids_in(imap: imaplib.IMAP4_SSL, folder: str) -> list[str]:
        (exists,) = check(imap.select(quoted(folder), readonly=True))
        if not int(exists):
            return []
        parts = check(imap.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"))
        headers = (part[1] for part in parts if isinstance(part, tuple))
        parser = email.parser.BytesHeaderParser(policy=email.policy.compat32)
        return [str(parser.parsebytes(header).get("Message-ID", "")).strip() for header in headers]


def folders(imap: imaplib.IMAP4_SSL) -> list[str]:
    """The names of the folders that can be selected, still in modified UTF-7."""
    names = []
    for line in check(imap.list()):
        found = LIST_LINE.match(line) if isinstance(line, bytes) else None
        if found and rb"\noselect" not in found["flags"].lower():
            names.append(found["name"].decode().strip('"').replace('\\"', '"').replace("\\\\", "\\"))
    return names


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def check(answer: tuple[str, Any]) -> list[Any]:
    """The data of an OK (imaplib gives it many shapes); imaplib's error otherwise."""
    status, data = answer
    if status != "OK":
        raise imaplib.IMAP4.error(f"the sandbox's IMAP server answered {status}: {data!r}")
    return list(data)
