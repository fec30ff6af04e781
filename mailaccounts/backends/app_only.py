"""An organisation's consent: the application opens mailboxes by itself, and nobody signs in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailaccounts.backends.base import ConsentBackend, TokenSource
from mailaccounts.backends.token_login import ApplicationAuthenticator

if TYPE_CHECKING:
    from mailaccounts.crypto import Secret


class AppOnlyBackend(ConsentBackend):
    slug = "app_only"
    label = "OAuth (for the whole organisation)"
    app_only = True

    def authenticator(self, username: str, secret: Secret, tokens: TokenSource) -> ApplicationAuthenticator:
        return ApplicationAuthenticator(username, tokens)
