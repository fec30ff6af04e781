"""A person's consent at an identity provider; the mail server is shown the access tokens it yields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailaccounts.backends.base import ConsentBackend, TokenSource
from mailaccounts.backends.token_login import TokenAuthenticator

if TYPE_CHECKING:
    from mailaccounts.crypto import Secret


class XOAuth2Backend(ConsentBackend):
    slug = "xoauth2"
    label = "OAuth (delegated)"

    def authenticator(self, username: str, secret: Secret, tokens: TokenSource) -> TokenAuthenticator:
        return TokenAuthenticator(username, tokens)
