"""Signing in with a password, of whichever kind: what the backends for them share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailaccounts.errors import CapabilityMissing
from mailaccounts.mail.sasl import Login, Plain

if TYPE_CHECKING:
    from mailaccounts.crypto import Secret
    from mailaccounts.mail.sasl import SaslMechanism


class PasswordAuthenticator:
    """Logs in with a password by the best mechanism offered."""

    def __init__(self, username: str, secret: Secret) -> None:
        self._username, self._secret = username, secret

    def mechanism(self, offered: frozenset[str], *, fresh: bool = False) -> SaslMechanism:
        for mechanism in (Plain, Login):
            if mechanism.name in offered:
                return mechanism(self._username, self._secret.reveal())
        raise CapabilityMissing(host="The server", what="sign-in with a password")
