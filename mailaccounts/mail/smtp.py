"""SmtpSession: one login to one submission server, with everything it may cost bounded (RFC 6409, RFC 4954)."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import logging
import re
import smtplib
import time
from typing import TYPE_CHECKING, Self, TypeVar

from mailaccounts.errors import ConnectionLost, MailAccountsError, ProtocolFault, StartTlsRefused, UnsafeArgument
from mailaccounts.mail.network import network_error
from mailaccounts.mail.responses import forget, smtp_error
from mailaccounts.mail.types import Security, Traffic
from mailaccounts.mail.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

    from mailaccounts.mail.network import Network
    from mailaccounts.mail.sasl import Authenticator, SaslMechanism
    from mailaccounts.mail.types import Endpoint, Limits

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

QUIT_SECONDS = 2
SASL_ROUNDS = 5
REPLY = {"line_bytes": 4096, "command_bytes": 2**18, "untagged_lines": 500}  # no honest reply is larger

# What smtplib and base64 raise on answers they can't read; SMTPException is an OSError.
FAULTS = (OSError, ValueError, LookupError, TypeError, AttributeError, MemoryError)


class Connection(smtplib.SMTP):
    """smtplib over a Wire."""

    def __init__(self, endpoint: Endpoint, *, network: Network, limits: Limits, traffic: Traffic) -> None:
        self._endpoint, self._network, self._traffic = endpoint, network, traffic
        self._limits = dataclasses.replace(limits, **REPLY)
        # The name in EHLO: a literal, so that no look-up is made and nothing of this machine is told.
        super().__init__(local_hostname="[127.0.0.1]")

    def _get_socket(self, host: str, port: int, timeout: float) -> Wire:
        deadline = time.monotonic() + self._limits.connect_seconds
        connection = self._network.connect(self._endpoint, deadline)
        self.wire = Wire(connection, self._endpoint, limits=self._limits, traffic=self._traffic)
        self.wire.begin(seconds=self._limits.connect_seconds)  # for the greeting
        return self.wire

    def putcmd(self, cmd: str, args: str = "") -> None:
        self._traffic.command()
        self.wire.begin()
        self._traffic.round_trips += 1
        super().putcmd(cmd, args)

    def start_tls(self) -> None:
        """Goes on in TLS and forgets all that was said before it (RFC 3207 §4.2)."""
        self.wire.start_tls(self._network)
        self.esmtp_features = {}


class SmtpSession:
    """A context manager that quits on exit. Methods raise errors of ``mailaccounts.errors`` and nothing else.

    ``capabilities`` are the keywords of EHLO in upper case, and ``AUTH=X`` for each mechanism.
    """

    def __init__(self, endpoint: Endpoint, *, network: Network, limits: Limits) -> None:
        """Connects and encrypts, without signing in; ``open`` does both."""
        self._endpoint = endpoint
        self.traffic = Traffic()
        self.capabilities: frozenset[str] = frozenset()
        self._smtp = Connection(endpoint, network=network, limits=limits, traffic=self.traffic)
        try:
            self._talk(self._greet)
        except MailAccountsError:
            self.close()
            raise

    @classmethod
    def open(
        cls,
        endpoint: Endpoint,
        authenticator: Authenticator,
        *,
        network: Network,
        limits: Limits | None = None,
        fresh: bool = False,
    ) -> Self:
        """Connects, encrypts and signs in, with one attempt. Besides network errors it raises PasswordRejected,
        TokenRejected, AdminActionNeeded and their like, and passes on what the authenticator raises."""
        session = cls(endpoint, network=network, limits=limits or network.limits)
        session.sign_in(authenticator, fresh=fresh)
        return session

    def sign_in(self, authenticator: Authenticator, *, fresh: bool = False) -> None:
        """Signs in, once; a failure ends the session. ``open`` says what is raised."""
        try:
            offered = {name.removeprefix("AUTH=") for name in self.capabilities if name.startswith("AUTH=")}
            self._log_in(authenticator.mechanism(frozenset(offered), fresh=fresh))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.quit()

    def quit(self) -> None:
        """Leaves politely if the connection still stands; never raises, takes two seconds at most."""
        if self._smtp.sock is not None:
            with contextlib.suppress(MailAccountsError, *FAULTS):
                self._smtp.wire.begin(seconds=QUIT_SECONDS)
                self._smtp.send(b"QUIT\r\n")
                self._smtp.getreply()
        self.close()

    def close(self) -> None:
        """Drops the connection at once."""
        self._smtp.close()

    def _greet(self) -> None:
        self._expect(220, self._smtp.connect(self._endpoint.host, self._endpoint.port))
        self._hello()
        if self._endpoint.security is Security.STARTTLS:
            if "STARTTLS" not in self.capabilities:
                raise StartTlsRefused(host=self._endpoint.host, port=self._endpoint.port)
            code, reply = self._smtp.docmd("STARTTLS")
            if code >= 500:
                raise StartTlsRefused(host=self._endpoint.host, port=self._endpoint.port)
            self._expect(220, (code, reply))
            self._smtp.start_tls()
            self._hello()

    def _hello(self) -> None:
        self._expect(250, self._smtp.ehlo())
        features = self._smtp.esmtp_features
        mechanisms = re.split(r"[ =]+", features.get("auth", "").upper())
        self.capabilities = frozenset(
            {name.upper() for name in features} | {f"AUTH={name}" for name in mechanisms if name}
        )

    def _log_in(self, mechanism: SaslMechanism) -> None:
        code, reply = self._talk(lambda: self._authenticate(mechanism))
        if code != 235:
            logger.debug("%s answered AUTH with %d", self._endpoint.host, code)
            raise forget(smtp_error(code, reply, host=self._endpoint.host, mechanism=mechanism.name))

    def _authenticate(self, mechanism: SaslMechanism) -> tuple[int, bytes]:
        """One conversation (RFC 4954 §4); returns the reply that ended it.

        The first response waits for the server's 334: that suits mechanisms in which either side begins, and tokens
        too long for the line of AUTH.
        """
        if not re.fullmatch(r"[A-Z0-9_-]{1,20}", mechanism.name):  # RFC 4422 §3.1
            raise UnsafeArgument(what="The mechanism's name")
        code, reply = self._smtp.docmd("AUTH", mechanism.name)
        for _ in range(SASL_ROUNDS):
            if code != 334:
                return code, reply
            answer = mechanism.respond(base64.b64decode(reply))
            code, reply = self._smtp.docmd(base64.b64encode(answer).decode())
        return (code, reply) if code != 334 else (-1, b"")

    def _expect(self, wanted: int, answer: tuple[int, bytes]) -> None:
        code, reply = answer
        if code != wanted:
            logger.debug("%s answered %d %.200r", self._endpoint.host, code, reply)
            raise smtp_error(code, reply, host=self._endpoint.host)

    def _talk(self, what: Callable[[], Answer]) -> Answer:
        """Does ``what``, and turns whatever goes wrong into our errors, whose past holds nothing of it."""
        try:
            return what()
        except MailAccountsError as error:
            failure = error
        except FAULTS as error:
            failure = self._fault(error)
        raise forget(failure)

    def _fault(self, error: Any) -> MailAccountsError:
        if isinstance(error, smtplib.SMTPServerDisconnected):
            return ConnectionLost(host=self._endpoint.host)
        if isinstance(error, OSError) and not isinstance(error, smtplib.SMTPException):
            return network_error(error, host=self._endpoint.host, port=self._endpoint.port)
        return ProtocolFault(host=self._endpoint.host)
