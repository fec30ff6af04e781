"""A Network that notes how far a connection came, step by step and with the time each took: what a probe reports."""

from __future__ import annotations

import dataclasses
import ssl
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self, cast

from mailaccounts.mail.network import Network
from mailaccounts.mail.types import Security

if TYPE_CHECKING:
    import socket

    from mailaccounts.errors import MailAccountsError
    from mailaccounts.mail.network import AddressInfo
    from mailaccounts.mail.types import Endpoint

LONGEST_NAME = 100  # characters of a certificate's names


class StepName(StrEnum):
    """What happens on the way into a mailbox, in this order; with STARTTLS the greeting comes before TLS."""

    DNS = "dns"
    POLICY = "policy"  # whether the addresses and the port may be connected to
    TCP = "tcp"
    TLS = "tls"
    GREETING = "greeting"
    STARTTLS = "starttls"
    CAPABILITIES = "capabilities"
    LOGIN = "login"
    SELECT = "select"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """``server`` is "imap" or "smtp", ``details`` what was found, in words and names that are safe to print.

    ``error`` says why it failed; ``skipped`` that it wasn't tried.
    """

    server: str
    name: StepName
    milliseconds: int = 0
    details: dict[str, Any] = field(default_factory=dict)
    error: MailAccountsError | None = None
    skipped: bool = False

    @property
    def status(self) -> str:
        return "failed" if self.error else "skipped" if self.skipped else "ok"

    def as_json(self) -> dict[str, Any]:
        return {
            "server": self.server,
            "step": self.name.value,
            "status": self.status,
            "milliseconds": self.milliseconds,
            "details": self.details,
            "error": self.error.as_json() if self.error else None,
        }


class Trail:
    """The steps of one connection so far, and the one under way."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._steps: list[Step] = []
        self.begin(StepName.POLICY)

    def begin(self, name: StepName) -> None:
        self._name, self._started = name, time.monotonic()

    def greeted(self, name: StepName) -> None:
        """The greeting is over, if it wasn't before; ``name`` is what follows it."""
        if self._name is StepName.GREETING:
            self.done()
            self.begin(name)

    def done(self, **details: Any) -> None:
        self._note(details=details)

    def failed(self, error: MailAccountsError) -> None:
        self._note(error=error)

    def take(self) -> list[Step]:
        """The steps since the last call."""
        steps, self._steps = self._steps, []
        return steps

    def _note(self, **outcome: Any) -> None:
        spent = round((time.monotonic() - self._started) * 1000)
        self._steps.append(Step(server=self._server, name=self._name, milliseconds=spent, **outcome))


@dataclass(frozen=True)
class WatchedNetwork(Network):
    """Connects as the network it is made of does, and notes each step in its trail."""

    trail: Trail = field(default_factory=lambda: Trail(""), repr=False)

    @classmethod
    def of(cls, network: Network, trail: Trail) -> Self:
        return cls(**{each.name: getattr(network, each.name) for each in dataclasses.fields(network)}, trail=trail)

    def resolve(self, host: str, port: int, *, deadline: float | None = None) -> list[AddressInfo]:
        infos = super().resolve(host, port, deadline=deadline)
        self.trail.done()
        self.trail.begin(StepName.TCP)
        return infos

    def _look_up(self, name: str, port: int, deadline: float) -> list[AddressInfo]:
        self.trail.begin(StepName.DNS)
        infos = super()._look_up(name, port, deadline)
        self.trail.done(addresses=sorted({str(info[4][0]) for info in infos}))
        self.trail.begin(StepName.POLICY)
        return infos

    def connect(self, endpoint: Endpoint, deadline: float) -> socket.socket:
        connection = super().connect(endpoint, deadline)
        if endpoint.security is Security.STARTTLS:
            self.trail.done(address=_peer(connection))
            self.trail.begin(StepName.GREETING)
        return cast("socket.socket", _Watched(connection, endpoint, self.trail))

    def secure(self, connection: socket.socket, endpoint: Endpoint, deadline: float) -> ssl.SSLSocket:
        if isinstance(connection, _Watched):
            connection = connection.inner
            self.trail.done()
        else:
            self.trail.done(address=_peer(connection))
        self.trail.begin(StepName.TLS)
        secured = super().secure(connection, endpoint, deadline)
        self.trail.done(**_tls_details(secured))
        implicit = endpoint.security is Security.TLS
        self.trail.begin(StepName.GREETING if implicit else StepName.CAPABILITIES)
        return secured


class _Watched:
    """A connection on which the client's first word, which follows the greeting, is noted."""

    def __init__(self, connection: socket.socket, endpoint: Endpoint, trail: Trail) -> None:
        self.inner, self._trail = connection, trail
        self._next = StepName.STARTTLS if endpoint.security is Security.STARTTLS else StepName.CAPABILITIES

    def sendall(self, data: bytes) -> None:
        self._trail.greeted(self._next)
        self.inner.sendall(data)

    def recv(self, size: int) -> bytes:
        return self.inner.recv(size)

    def settimeout(self, seconds: float | None) -> None:
        self.inner.settimeout(seconds)

    def close(self) -> None:
        self.inner.close()


def _peer(connection: socket.socket) -> str:
    try:
        return str(connection.getpeername()[0])
    except OSError:  # gone already, as the next step will find
        return ""


def _tls_details(secured: ssl.SSLSocket) -> dict[str, Any]:
    """The protocol and the certificate, which was verified by now but whose names are still somebody else's text."""
    certificate = cast("dict[str, Any]", secured.getpeercert() or {})
    expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    alternatives = [str(name) for kind, name in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    return {
        "version": secured.version(),
        "subject": _name(certificate, "subject", "commonName") or _clean(", ".join(alternatives)),
        "issuer": _name(certificate, "issuer", "organizationName", "commonName"),
        "expires": expires.date().isoformat(),
    }


def _name(certificate: dict[str, Any], whose: str, *attributes: str) -> str:
    """The first of ``attributes`` that the certificate's subject or issuer has."""
    found = {key: value for part in certificate.get(whose, ()) for key, value in part}
    return _clean(next((found[each] for each in attributes if each in found), ""))


def _clean(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:LONGEST_NAME]
