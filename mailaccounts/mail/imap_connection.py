"""imaplib and IMAPClient on a connection of our own: where the Network allows, within budgets, with our errors."""

from __future__ import annotations

import imaplib
import logging
import re
import time
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from imapclient import IMAPClient
from imapclient.imap_utf7 import encode

from mailaccounts.errors import MailAccountsError, StartTlsRefused, UnsafeArgument
from mailaccounts.mail.imap_pipeline import Pipeline
from mailaccounts.mail.responses import Condition, Refused, Status, bye_error
from mailaccounts.mail.types import Security
from mailaccounts.mail.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailaccounts.mail.network import Network
    from mailaccounts.mail.types import Endpoint, Limits, Traffic

logger = logging.getLogger(__name__)

LOGOUT_SECONDS = 2  # politeness has a limit

# What imaplib and IMAPClient raise on answers they can't read; gaierror and SSLError are OSErrors.
FAULTS = (imaplib.IMAP4.error, OSError, ValueError, LookupError, TypeError, AttributeError, MemoryError)


class Imap4(imaplib.IMAP4):
    """imaplib over a Wire: connects where the Network allows, reads within budgets, and raises our errors."""

    def __init__(self, endpoint: Endpoint, *, network: Network, limits: Limits, traffic: Traffic) -> None:
        self._endpoint, self._network, self._limits, self._traffic = endpoint, network, limits, traffic
        self._pipeline: Pipeline | None = None
        super().__init__(endpoint.host, endpoint.port)

    def open(self, host: str = "", port: int = 993, timeout: float | None = None) -> None:
        self.host, self.port = host, port
        deadline = time.monotonic() + self._limits.connect_seconds
        self.sock = self._network.connect(self._endpoint, deadline)
        self.wire = Wire(self.sock, self._endpoint, limits=self._limits, traffic=self._traffic)
        self.wire.begin(seconds=self._limits.connect_seconds)  # for the greeting

    def read(self, size: int) -> bytes:
        return self.wire.read(size)

    def readline(self) -> bytes:
        return self.wire.readline()

    def send(self, data: Any) -> None:
        self.wire.sendall(data)

    def shutdown(self) -> None:
        self.wire.close()

    def start_tls(self) -> None:
        """Goes on in TLS and forgets all that was said before it (RFC 9051 §6.2.1)."""
        try:
            self._simple_command("STARTTLS")
        except Refused:
            raise StartTlsRefused(host=self.host, port=self.port) from None
        self.wire.start_tls(self._network)
        self.untagged_responses.clear()
        self._get_capabilities()

    @property
    def pipeline(self) -> Pipeline:
        """What every command after the login goes through."""
        if self._pipeline is None:
            self._pipeline = Pipeline(self.wire, host=self.host, limits=self._limits, traffic=self._traffic)
        return self._pipeline

    def run(self, name: str, *arguments: str | bytes) -> dict[str, list[Any]]:
        """Runs a command and returns the untagged responses that came with it; raises Refused for NO and BAD."""
        self._simple_command(name, *arguments)
        return self.untagged_responses

    def authenticate_by(self, mechanism: str, answer: Callable[[bytes], bytes | None], *first: bytes) -> None:
        """AUTHENTICATE, with the ``first`` answer at once if there is one (RFC 4959); Refused for NO and BAD."""
        self.literal = cast("Any", imaplib)._Authenticator(answer).process
        self._simple_command("AUTHENTICATE", mechanism, *first)

    def leave(self) -> None:
        """Says goodbye and closes, whatever the server makes of it."""
        ends = time.monotonic() + LOGOUT_SECONDS
        try:
            self.wire.begin(seconds=LOGOUT_SECONDS)
            self.wire.sendall(b"BYE LOGOUT\r\n")
            while not self.wire.readline().startswith(b"* BYE") and time.monotonic() < ends:
                pass
        except MailAccountsError:
            pass  # it is over anyway
        finally:
            self.shutdown()

    # imaplib's own doors, which every command goes through:

    def _new_tag(self) -> bytes:
        if self._pipeline is not None:
            self._pipeline.settle()
        self._traffic.command()
        self.wire.begin()
        self._traffic.round_trips += 1
        self.untagged_responses.clear()  # else whatever a server volunteers piles up for the whole session
        tag: bytes = super()._new_tag()  # type: ignore[misc]  # typeshed leaves it out
        return tag

    def _get_capabilities(self) -> None:
        """Asks for the capabilities, unless the greeting has told them."""
        told = self.untagged_responses.get("CAPABILITY")
        if told and isinstance(told[-1], bytes) and told[-1]:
            self.capabilities = tuple(told[-1].decode("ascii", "replace").upper().split())
        else:
            super()._get_capabilities()  # type: ignore[misc]  # typeshed leaves it out

    def _get_response(self) -> bytes | None:
        response: bytes | None = super()._get_response()  # type: ignore[misc]  # typeshed leaves it out
        bye = self.untagged_responses.pop("BYE", None)
        if bye:
            self.shutdown()
            told = bye[-1] if isinstance(bye[-1], bytes) else b""
            raise bye_error(Status.parse(Condition.BYE, told), host=self.host)
        return response

    def _command_complete(self, name: str, tag: bytes) -> tuple[str, list[bytes]]:
        condition, data = self._get_tagged_response(tag)
        if condition != Condition.OK:
            status = Status.parse(condition, data[-1])
            told = "" if name in {"AUTHENTICATE", "LOGIN"} else status.text[:200]  # could repeat the credential
            logger.debug("%s answered %s with %s %s %r", self.host, name, condition, status.code, told)
            raise Refused(status)
        return condition, data

    def _log(self, line: object) -> None:
        """imaplib keeps its last ten lines for a debugger; they could hold a credential or mail."""


class Client(IMAPClient):  # type: ignore[misc]  # imapclient has no types of its own
    """IMAPClient on our own connection."""

    def __init__(self, endpoint: Endpoint, *, network: Network, limits: Limits, traffic: Traffic) -> None:
        self._connection = partial(Imap4, endpoint, network=network, limits=limits, traffic=traffic)
        super().__init__(endpoint.host, endpoint.port, ssl=endpoint.security is Security.TLS)
        self._imap.debug = 0  # IMAPClient sets 5, which formats every response and offers mail to the DEBUG log

    def _create_IMAP4(self) -> Imap4:
        return self._connection()


def quote(text: bytes, *, what: str) -> bytes:
    """A quoted string. IMAPClient lets line breaks through, which would be commands of their own."""
    if re.search(rb"[\0\r\n]", text):
        raise UnsafeArgument(what=what)
    return b'"' + re.sub(rb'(["\\])', rb"\\\1", text) + b'"'


def quote_folder(name: str) -> bytes:
    """A folder's name as it goes over the wire."""
    if any(ord(character) < 32 for character in name):  # modified UTF-7 would carry them to a server that echoes
        raise UnsafeArgument(what="The folder name")
    return quote(encode(name), what="The folder name")
