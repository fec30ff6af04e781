"""Connecting to an IMAP server and signing in, and what every command of the session needs (RFC 3501, RFC 9051)."""

from __future__ import annotations

import base64
import contextlib
import re
from typing import TYPE_CHECKING, Self

from mailaccounts.errors import (
    CapabilityMissing,
    ConnectionLost,
    MailAccountsError,
    ProtocolFault,
    StartTlsRefused,
    UnsafeArgument,
)
from mailaccounts.mail.abilities import Abilities
from mailaccounts.mail.imap_connection import FAULTS, Client, quote
from mailaccounts.mail.imap_pipeline import Command
from mailaccounts.mail.network import network_error
from mailaccounts.mail.responses import Condition, Refused, command_error, forget, login_error
from mailaccounts.mail.types import Security, Traffic

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from types import TracebackType

    from mailaccounts.mail.imap_connection import Imap4
    from mailaccounts.mail.network import Network
    from mailaccounts.mail.sasl import Authenticator, SaslMechanism
    from mailaccounts.mail.types import Endpoint, Limits

SASL_ROUNDS = 5  # answers given to one server's challenges
CLIENT_FIRST = frozenset({"PLAIN", "XOAUTH2", "OAUTHBEARER"})  # mechanisms that begin without a challenge
LONGEST_FIRST = 5000  # octets of a response that still fit the line of the command, in base64


class Enable(Command):
    """ENABLE QRESYNC (RFC 5161); a server that refuses goes on without."""

    def __init__(self) -> None:
        super().__init__("ENABLE QRESYNC")
        self._told: set[str] = set()

    @property
    def enabled(self) -> set[str]:
        return self._told if self.status is not None and self.status.condition is Condition.OK else set()

    def take(self, text: bytes, literals: list[bytes]) -> bool:
        word, *names = text.upper().split()[:20] or [b""]
        if word == b"ENABLED":
            self._told.update(name.decode("ascii", "replace") for name in names)
        return word == b"ENABLED"


class ImapLogin:
    """A context manager that logs out on exit. Methods raise errors of ``mailaccounts.errors`` and nothing else.

    ``capabilities`` are those the server named last, so after the login, in upper case; ``mechanisms`` are the ways to
    sign in that it offered before; ``traffic`` is what the session cost so far.
    """

    def __init__(self, endpoint: Endpoint, *, network: Network, limits: Limits) -> None:
        """Connects and encrypts, without signing in; ``open`` does both."""
        self._endpoint, self._limits = endpoint, limits
        self.traffic = Traffic()
        self.capabilities: frozenset[str] = frozenset()
        self.mechanisms: frozenset[str] = frozenset()
        self._enable: Enable | None = None
        self._imap: Imap4 | None = None
        with self._talking():
            self._client = Client(endpoint, network=network, limits=limits, traffic=self.traffic)
            self._imap = self._client._imap
            if self._imap.state != "NONAUTH":
                # PREAUTH: on a plain connection it would keep us from STARTTLS (RFC 9051 §11.1); anywhere it would
                # make a login prove nothing.
                raise ProtocolFault(host=endpoint.host)
            if endpoint.security is Security.STARTTLS:
                if "STARTTLS" not in self._imap.capabilities:
                    raise StartTlsRefused(host=endpoint.host, port=endpoint.port)
                self._imap.start_tls()
            self.capabilities = frozenset(self._imap.capabilities)

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
        """Connects, encrypts and signs in. Besides network errors it raises PasswordRejected, TokenRejected,
        PermissionMissing and their like, and passes on what the authenticator raises."""
        session = cls(endpoint, network=network, limits=limits or network.limits)
        session.sign_in(authenticator, fresh=fresh)
        return session

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.logout()

    @property
    def closed(self) -> bool:
        """Whether the connection is gone, by our doing or the server's."""
        return self._imap is None or self._imap.wire.closed

    def logout(self) -> None:
        """Leaves politely if the connection still stands; never raises, takes two seconds at most."""
        if self._imap is not None and not self.closed:
            self._imap.leave()

    def close(self) -> None:
        """Drops the connection at once."""
        if self._imap is not None:
            self._imap.shutdown()

    def hand_over(self) -> tuple[socket.socket, bytes]:
        """Gives the bare connection away, and what was read of it but not used; the session is over."""
        with self._talking():
            self._live().pipeline.settle()
        connection, rest = self._live().wire.detach()
        self._imap = None
        return connection, rest

    # --- signing in ---

    def sign_in(self, authenticator: Authenticator, *, fresh: bool = False) -> None:
        """Signs in, once; a failure ends the session. ``open`` says what is raised."""
        try:
            self.mechanisms = self._offered()
            self._log_in(authenticator.mechanism(self.mechanisms, fresh=fresh))
            with self._talking():
                self.capabilities = frozenset(
                    name.decode("ascii", "replace").upper() for name in self._client.capabilities()
                )
                if {"QRESYNC", "ENABLE"} <= self.capabilities:
                    self._enable = Enable()
                    self._live().pipeline.send(self._enable)  # answered along with whatever comes next
        except BaseException:
            self.close()
            raise

    @property
    def abilities(self) -> Abilities:
        """What the server can do. Asks it, should it not have said yet whether it enabled QRESYNC."""
        if self._enable is not None and self._enable.status is None:
            with self._talking():
                self._live().pipeline.wait(self._enable)
        return Abilities.read(self.capabilities, enabled=self._enable.enabled if self._enable else ())

    def _offered(self) -> frozenset[str]:
        """The SASL mechanisms offered. LOGIN stands for the LOGIN command where a server has nothing else."""
        assert self._imap is not None  # noqa: S101 - __init__ connected
        announced = set(self._imap.capabilities)
        offered = {name.removeprefix("AUTH=") for name in announced if name.startswith("AUTH=")}
        if not offered & {"PLAIN", "LOGIN"} and "LOGINDISABLED" not in announced:
            offered.add("LOGIN")
        return frozenset(offered)

    def _log_in(self, mechanism: SaslMechanism) -> None:
        host = self._endpoint.host
        failure: MailAccountsError | None = None
        try:
            if mechanism.name == "LOGIN" and "AUTH=LOGIN" not in self._live().capabilities:
                self._login_command(mechanism)
            else:
                self._authenticate(mechanism)
        except Refused as refusal:
            failure = login_error(refusal.status, host=host, mechanism=mechanism.name)
        except MailAccountsError as error:
            failure = error
        except FAULTS as error:
            self.close()
            failure = self._fault(error)
        if failure is not None:
            raise forget(failure)
        self._live().state = "AUTH"

    def _authenticate(self, mechanism: SaslMechanism) -> None:
        if not re.fullmatch(r"[A-Z0-9_-]{1,20}", mechanism.name):  # RFC 4422 §3.1
            raise UnsafeArgument(what="The mechanism's name")
        first = [mechanism.respond(b"")] if mechanism.name in CLIENT_FIRST else []
        at_once: list[bytes] = []
        if first and len(first[0]) <= LONGEST_FIRST and "SASL-IR" in self._live().capabilities:  # RFC 4959
            at_once = [base64.b64encode(first.pop())]
        rounds = 0

        def answer(challenge: bytes) -> bytes | None:
            nonlocal rounds
            rounds += 1
            if first:
                return first.pop()
            return mechanism.respond(challenge) if rounds <= SASL_ROUNDS else None  # None cancels

        self._live().authenticate_by(mechanism.name, answer, *at_once)

    def _login_command(self, mechanism: SaslMechanism) -> None:
        words = [mechanism.respond(b"User Name"), mechanism.respond(b"Password")]
        if not all(word.isascii() for word in words):
            raise CapabilityMissing(host=self._endpoint.host, what="sign-in with letters like these (RFC 6855)")
        self._live().run("LOGIN", *(quote(word, what="The user name or password") for word in words))

    # --- errors ---

    def _live(self) -> Imap4:
        if self._imap is None or self._imap.wire.closed:
            raise ConnectionLost(host=self._endpoint.host)
        return self._imap

    @contextlib.contextmanager
    def _talking(self, *, folder: str = "", writing: bool = False) -> Iterator[None]:
        """Turns whatever goes wrong inside into our errors; only after a NO or BAD can the session go on."""
        try:
            yield
        except Refused as refusal:
            raise command_error(refusal.status, host=self._endpoint.host, folder=folder, writing=writing) from None
        except MailAccountsError:
            self.close()
            raise
        except FAULTS as error:
            self.close()
            raise self._fault(error) from None

    def _fault(self, error: Exception) -> MailAccountsError:
        if isinstance(error, OSError):
            return network_error(error, host=self._endpoint.host, port=self._endpoint.port)
        return ProtocolFault(host=self._endpoint.host)
