"""SASL conversations. A mechanism lives for one login and keeps what the server said in its challenge."""

from __future__ import annotations

from typing import Protocol

from mailaccounts.crypto import Secret
from mailaccounts.errors import UnsafeArgument


class SaslMechanism(Protocol):
    """One login conversation, never reused (RFC 4422)."""

    @property
    def name(self) -> str:
        """The registered name, e.g. ``PLAIN`` or ``XOAUTH2``."""

    def respond(self, challenge: bytes) -> bytes:
        """Answers a challenge. Where the client begins, the first call asks for the initial response: its challenge
        is empty."""


class Authenticator(Protocol):
    """All the wire layer knows of credentials."""

    def mechanism(self, offered: frozenset[str], *, fresh: bool = False) -> SaslMechanism:
        """Chooses among the mechanisms a server offers (upper case, without ``AUTH=``).

        ``fresh`` asks for a token that was not used before: the last one was refused. Raises CapabilityMissing when
        none fits, and whatever obtaining a token raises.
        """


class Plain:
    """PLAIN (RFC 4616): works for non-ASCII passwords where LOGIN doesn't."""

    name = "PLAIN"

    def __init__(self, username: str, password: bytes) -> None:
        if "\0" in username or b"\0" in password:
            raise UnsafeArgument(what="The user name or password")
        self._response = Secret(b"\0" + username.encode() + b"\0" + password)

    def respond(self, challenge: bytes) -> bytes:
        return self._response.reveal()


class Login:
    """LOGIN (draft-murchison-sasl-login): user name, then password; for servers without PLAIN."""

    name = "LOGIN"

    def __init__(self, username: str, password: bytes) -> None:
        if "\0" in username or b"\0" in password:
            raise UnsafeArgument(what="The user name or password")
        self._answers = [Secret(password), Secret(username)]

    def respond(self, challenge: bytes) -> bytes:
        return self._answers.pop().reveal() if self._answers else b""


class Bearer:
    """A login with an access token: one response, and one more if the server refuses it with its reasons.

    ``challenge`` keeps those: the JSON a refusal comes with.
    """

    dummy = b""
    """What a refusal is answered with; only then the server ends the conversation."""

    def __init__(self, username: str, token: str) -> None:
        if any(control in username + token for control in "\0\1\r\n"):
            raise UnsafeArgument(what="The user name")
        self._response = Secret(self.response(username, token))
        self._asked = False
        self.challenge = b""

    def response(self, username: str, token: str) -> str:
        """What the server is shown."""
        raise NotImplementedError

    def respond(self, challenge: bytes) -> bytes:
        if not self._asked:
            self._asked = True
            return self._response.reveal()
        self.challenge = challenge
        return self.dummy


class XOAuth2(Bearer):
    """XOAUTH2 (Google's and Microsoft's protocol documents)."""

    name = "XOAUTH2"

    def response(self, username: str, token: str) -> str:
        return f"user={username}\1auth=Bearer {token}\1\1"


class OAuthBearer(Bearer):
    """OAUTHBEARER (RFC 7628 §3.1); host and port, which only signed tokens need, are left out."""

    name = "OAUTHBEARER"
    dummy = b"\1"

    def response(self, username: str, token: str) -> str:
        mailbox = username.replace("=", "=3D").replace(",", "=2C")  # a gs2-header's saslname (RFC 5801 §4)
        return f"n,a={mailbox},\1auth=Bearer {token}\1\1"
