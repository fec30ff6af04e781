"""Signing in with an access token, however it was granted: what the backends for tokens share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailaccounts.errors import CapabilityMissing
from mailaccounts.mail.sasl import OAuthBearer, XOAuth2

if TYPE_CHECKING:
    from mailaccounts.backends.base import TokenSource
    from mailaccounts.mail.sasl import SaslMechanism


class TokenAuthenticator:
    """Logs in with an access token, obtained only once the server has said that it takes one.

    XOAUTH2 goes first where both are offered: it is what Google and Microsoft document.
    """

    def __init__(self, username: str, tokens: TokenSource) -> None:
        self.username, self._tokens = username, tokens

    def mechanism(self, offered: frozenset[str], *, fresh: bool = False) -> SaslMechanism:
        for mechanism in (XOAuth2, OAuthBearer):
            if mechanism.name in offered:
                return mechanism(self.username, self._tokens.access_token(fresh=fresh).value)
        raise CapabilityMissing(host="The server", what="sign-in with OAuth")


class ApplicationAuthenticator(TokenAuthenticator):
    """Logs in with a token of the application's own. A fresh one that is refused is no bad token: an administrator
    hasn't opened the mailbox to the application."""
