"""Servers that misbehave on purpose: a script per test, played by a thread on a real socket."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import pytest
import trustme

from mailaccounts.errors import ConnectionTimedOut, MailAccountsError
from mailaccounts.mail.imap import ImapSession
from mailaccounts.mail.network import Network
from mailaccounts.mail.sasl import Plain
from mailaccounts.mail.types import Endpoint, Limits, Security

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from mailaccounts.mail.sasl import SaslMechanism
    from mailaccounts.mail.smtp import SmtpSession

SECRET = b"the-secret-of-the-account"
QUICK = Limits(connect_seconds=2, read_seconds=1, session_seconds=4)  # for what is to end by them
PATIENT = Limits(connect_seconds=60, read_seconds=60, session_seconds=120)  # for what is to end by something else

PAUSE = threading.Event()  # never set: what makes a server slow


class Person:
    """An authenticator that holds one password, and notes whether it was asked for."""

    def __init__(self, mechanism: SaslMechanism | None = None) -> None:
        self.asked = False
        self._mechanism = mechanism or Plain("jo@example.com", SECRET)

    def mechanism(self, offered: frozenset[str], *, fresh: bool = False) -> SaslMechanism:
        self.asked = True
        return self._mechanism


class Peer:
    """The server's end of one connection."""

    def __init__(self, connection: socket.socket, context: ssl.SSLContext) -> None:
        self._context = context
        self._socket = connection
        self._file = connection.makefile("rb")
        self.heard = b""

    def send(self, *lines: bytes) -> None:
        self._socket.sendall(b"".join(lines))

    def line(self) -> bytes:
        """What the client says next; EOFError when it has gone."""
        line = self._file.readline()
        self.heard += line
        if not line:
            raise EOFError
        return line

    def speaks(self, seconds: float) -> bool:
        """Whether the client says something, or goes, within so many; for when it has said nothing more so far."""
        return bool(select.select([self._socket], [], [], seconds)[0])

    def stream(self, chunks: Iterable[bytes]) -> None:
        """Sends until the client goes away."""
        for chunk in chunks:
            self._socket.sendall(chunk)

    def drip(self, data: bytes) -> None:
        """Sends a byte every 100 ms, over and over, until the client goes away."""
        while True:
            for position in range(len(data)):
                self._socket.sendall(data[position : position + 1])
                PAUSE.wait(0.1)

    def start_tls(self) -> None:
        self._file.close()
        self._socket = self._context.wrap_socket(self._socket, server_side=True)
        self._file = self._socket.makefile("rb")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
            self._socket.close()


class HostileServer:
    """Plays ``script`` to every client at 127.0.0.1:``port``; ``heard`` is all that clients said."""

    def __init__(self, script: Callable[[Peer], None], *, context: ssl.SSLContext, tls: bool = True) -> None:
        self._script, self._context, self._tls = script, context, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._peers: list[Peer] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._listener.close()
        for peer in self._peers:
            peer.close()
        for thread in self._threads:
            thread.join(5)

    @property
    def heard(self) -> bytes:
        for thread in self._threads:
            thread.join(60)
        return b"".join(peer.heard for peer in self._peers)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                peer = Peer(connection, self._context)
                self._peers.append(peer)
                thread = threading.Thread(target=self._play, args=(peer,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _play(self, peer: Peer) -> None:
        # The client hanging up in the middle of everything is what these tests want to see.
        with contextlib.suppress(OSError, EOFError, ValueError):
            if self._tls:
                peer.start_tls()
            self._script(peer)
        peer.close()


@dataclass(frozen=True)
class Authority:
    """A CA of the tests' own, with the certificates a server may show."""

    ca: trustme.CA
    ca_file: Path

    @classmethod
    def make(cls, directory: Path) -> Authority:
        ca = trustme.CA()
        path = directory / "ca.pem"
        ca.cert_pem.write_to_path(path)
        return cls(ca, path)

    def context(self, *names: str, certificate: trustme.LeafCert | None = None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (certificate or self.ca.issue_cert(*(names or ("127.0.0.1",)))).configure_cert(context)
        return context

    def network(self, limits: Limits = PATIENT) -> Network:
        return Network.from_text(allow=("127.0.0.0/8",), ports=(993,), ca_bundle=str(self.ca_file), limits=limits)


def endpoint(port: int, *, protocol: str = "imap", security: Security = Security.TLS) -> Endpoint:
    return Endpoint(protocol=protocol, host="127.0.0.1", port=port, security=security)


def tag(line: bytes) -> bytes:
    return line.split(b" ", 1)[0]


def imap_login(
    peer: Peer, *, capabilities: bytes = b"IMAP4rev1 UIDPLUS AUTH=PLAIN", able: bytes = b"IMAP4rev1 UIDPLUS"
) -> None:
    """The honest part of an IMAP session: greeting, ``capabilities``, AUTHENTICATE PLAIN, what it is ``able`` to."""
    peer.send(b"* OK hello\r\n")
    line = peer.line()
    peer.send(b"* CAPABILITY ", capabilities, b"\r\n", tag(line), b" OK done\r\n")
    line = peer.line()
    peer.send(b"+ \r\n")
    peer.line()
    peer.send(b"* CAPABILITY ", able, b"\r\n", tag(line), b" OK in\r\n")
    if b"QRESYNC" in able.split():
        peer.send(b"* ENABLED QRESYNC\r\n", tag(peer.line()), b" OK enabled\r\n")


def imap_select(peer: Peer) -> None:
    """Honestly answers EXAMINE."""
    line = peer.line()
    peer.send(b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] .\r\n* OK [UIDNEXT 4] .\r\n", tag(line), b" OK [READ-ONLY] .\r\n")


def use(
    authority: Authority,
    script: Callable[[Peer], None],
    action: Callable[[Any], object] = lambda session: None,
    *,
    session: type[ImapSession] | type[SmtpSession] = ImapSession,
    security: Security = Security.TLS,
    mechanism: SaslMechanism | None = None,
    limits: Limits = PATIENT,
) -> bytes:
    """Signs in to a server that plays ``script`` and does ``action``; returns all that the server heard."""
    protocol = "imap" if session is ImapSession else "smtp"
    with HostileServer(script, context=authority.context(), tls=security is Security.TLS) as server:
        where = endpoint(server.port, protocol=protocol, security=security)
        with session.open(where, Person(mechanism), network=authority.network(limits)) as opened:
            action(opened)
        return server.heard


def refused(
    authority: Authority,
    expected: type[MailAccountsError],
    script: Callable[[Peer], None],
    action: Callable[[Any], object] = lambda session: None,
    **options: Any,
) -> MailAccountsError:
    """Expects ``use`` to end with exactly this error, by the limits if it is about them, telling no secret."""
    limits = QUICK if expected is ConnectionTimedOut else PATIENT
    started = time.monotonic()
    with pytest.raises(MailAccountsError) as caught:
        use(authority, script, action, limits=limits, **options)
    assert type(caught.value) is expected
    assert time.monotonic() - started < PATIENT.read_seconds / 2
    assert SECRET.decode() not in repr(caught.value) + repr(caught.value.as_json())
    return caught.value


def list_folders(session: ImapSession) -> object:
    return session.folders()


def fetch_headers(session: ImapSession) -> object:
    session.select("INBOX")
    return list(session.headers([1, 2, 3]))


def fetch_bodies(session: ImapSession) -> object:
    session.select("INBOX")
    return list(session.bodies({1: 0, 2: 0, 3: 0}, max_bytes=1_000_000))
