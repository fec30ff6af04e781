"""Which hosts may be reached, and how: resolve once, judge every address, connect to the judged address.

A name that resolves to something else a moment later (DNS rebinding) gains nothing: the address that was judged is
the address that is connected to, while TLS still verifies the name.
"""

from __future__ import annotations

import queue
import re
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mailaccounts.errors import (
    CertificateUntrusted,
    ConnectionLost,
    ConnectionRefused,
    ConnectionTimedOut,
    HostLookupFailed,
    HostNotAllowed,
    HostNotFound,
    InvalidInput,
    MailAccountsError,
    NetworkError,
    PortNotAllowed,
    TlsNotSpoken,
    UnsafeArgument,
)
from mailaccounts.mail.addresses import AddressRange, inside, is_public, parse_address, parse_range
from mailaccounts.mail.types import Limits, Security

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailaccounts.mail.types import Endpoint

MAX_HOST = 253  # characters of a host name, RFC 1035 §2.3.4
HOST = re.compile(r"[A-Za-z0-9._:-]+")
NO_SUCH_NAME = {socket.EAI_NONAME} | {getattr(socket, name) for name in ("EAI_NODATA",) if hasattr(socket, name)}

AddressInfo = tuple[int, int, int, str, Any]  # as getaddrinfo gives it


@dataclass(frozen=True)
class Network:
    """The host policy and the trust store. One per process: its TLS context costs 870 KiB.

    ``allow`` are the operator's own networks, whose addresses may be private and use any port; ``ports`` are those
    allowed everywhere else. ``lookup`` is getaddrinfo.
    """

    allow: tuple[AddressRange, ...] = ()
    ports: frozenset[int] = frozenset({143, 465, 587, 993})
    ca_bundle: str = ""
    limits: Limits = Limits()  # noqa: RUF009 - frozen, so one shared default is what we want
    lookup: Callable[..., Sequence[AddressInfo]] = field(default=socket.getaddrinfo, repr=False)

    @classmethod
    def from_text(cls, *, allow: Sequence[str], ports: Sequence[int], ca_bundle: str, limits: Limits) -> Network:
        """Reads the operator's settings; ValueError says in words which one can't be used."""
        for port in ports:
            if not 1 <= port <= 65_535:
                raise ValueError(f"{port} is not a port number between 1 and 65535")
        if ca_bundle:
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(ca_bundle)
            except OSError:  # SSLError is one
                raise ValueError(f"{ca_bundle} is not a readable file of certificates in PEM form") from None
        ranges = tuple(parse_range(text) for text in allow if text.strip())
        return cls(allow=ranges, ports=frozenset(ports), ca_bundle=ca_bundle, limits=limits)

    @cached_property
    def tls_context(self) -> ssl.SSLContext:
        """Verifies name and chain against the system's trust and ``ca_bundle``; TLS 1.2 or newer (RFC 8996)."""
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.ca_bundle:
            context.load_verify_locations(self.ca_bundle)
        return context

    def resolve(self, host: str, port: int, *, deadline: float | None = None) -> list[AddressInfo]:
        """Looks ``host`` up once and returns its addresses when every one of them may be connected to.

        Raises UnsafeArgument, InvalidInput, HostNotFound, HostLookupFailed, HostNotAllowed or PortNotAllowed.
        ``deadline`` is an instant of time.monotonic().
        """
        name = host_name(host)
        if not 1 <= port <= 65_535 or (port not in self.ports and not self.allow):
            raise PortNotAllowed(port=port)
        infos = self._look_up(name, port, deadline or time.monotonic() + self.limits.connect_seconds)
        addresses = [parse_address(info[4][0]) for info in infos]
        ours = [inside(address, self.allow) for address in addresses]
        if not all(mine or is_public(address) for mine, address in zip(ours, addresses, strict=True)):
            raise HostNotAllowed(host=host)
        if port not in self.ports and not all(ours):
            raise PortNotAllowed(port=port)
        return infos

    def _look_up(self, name: str, port: int, deadline: float) -> list[AddressInfo]:
        # getaddrinfo knows no timeout, so it runs in a thread that is left behind when it takes too long.
        answers: queue.SimpleQueue[list[AddressInfo] | Exception] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answers.put(list(self.lookup(name, port, type=socket.SOCK_STREAM)))
            except (OSError, ValueError) as error:  # gaierror is an OSError, UnicodeError a ValueError
                answers.put(error)

        threading.Thread(target=ask, name="getaddrinfo", daemon=True).start()
        try:
            answer = answers.get(timeout=max(0.01, deadline - time.monotonic()))
        except queue.Empty:
            raise HostLookupFailed(host=name) from None
        if isinstance(answer, socket.gaierror) and answer.errno not in NO_SUCH_NAME:
            raise HostLookupFailed(host=name)
        if isinstance(answer, Exception) or not answer:
            raise HostNotFound(host=name)
        return answer

    def connect(self, endpoint: Endpoint, deadline: float) -> socket.socket:
        """Connects to a judged address of ``endpoint``, trying the next one while there is time.

        Speaks TLS at once when the endpoint asks for it. ``deadline`` is an instant of time.monotonic().
        """
        infos = self.resolve(endpoint.host, endpoint.port, deadline=deadline)
        failure: MailAccountsError | None = None
        for position, (family, kind, protocol, _, address) in enumerate(infos):
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                break
            try:
                connection = socket.socket(family, kind, protocol)
                connection.settimeout(remaining / (len(infos) - position))
                connection.connect(address)
            except OSError as error:
                connection.close()
                # The first failure tells most; that this machine has no route to an address tells nothing.
                told = failure is not None and type(failure) is not NetworkError
                failure = failure if told else network_error(error, host=endpoint.host, port=endpoint.port)
            else:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if endpoint.security is Security.TLS:
                    return self.secure(connection, endpoint, deadline)
                return connection
        raise failure or ConnectionTimedOut(host=endpoint.host)

    def secure(self, connection: socket.socket, endpoint: Endpoint, deadline: float) -> ssl.SSLSocket:
        """Speaks TLS on ``connection``, verifying the endpoint's name; closes it when that fails."""
        try:
            connection.settimeout(max(0.01, deadline - time.monotonic()))
            return self.tls_context.wrap_socket(connection, server_hostname=host_name(endpoint.host))
        except (OSError, ValueError) as error:
            connection.close()
            raise network_error(error, host=endpoint.host, port=endpoint.port) from None


def host_name(host: str) -> str:
    """``host`` as DNS and TLS want it: ASCII (IDNA), no dot at the end. UnsafeArgument or InvalidInput otherwise."""
    if any(ord(character) < 32 or ord(character) == 127 for character in host):
        raise UnsafeArgument(what="The server name")
    name = host.strip().removesuffix(".")
    if len(name) <= MAX_HOST:
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            name = ""
    if not HOST.fullmatch(name) or len(name) > MAX_HOST:
        raise InvalidInput(what="The server name")
    return name


def network_error(error: Exception, *, host: str, port: int) -> MailAccountsError:
    """The error of ours that an OSError, or what TLS raised, stands for; nothing of its text is kept."""
    match error:
        case ssl.SSLCertVerificationError() | ssl.CertificateError():
            return CertificateUntrusted(host=host)
        case ssl.SSLZeroReturnError() | ssl.SSLEOFError():
            return ConnectionLost(host=host)
        case TimeoutError():
            return ConnectionTimedOut(host=host)
        case ssl.SSLError() | ValueError():
            return TlsNotSpoken(host=host, port=port)
        case ConnectionRefusedError():
            return ConnectionRefused(host=host, port=port)
        case ConnectionError():
            return ConnectionLost(host=host)
        case _:
            return NetworkError(host=host)
