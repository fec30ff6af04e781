"""What every identity provider does for us."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailaccounts.oauth.types import (
        Authorization,
        ConsentRequest,
        Flow,
        GrantState,
        Identity,
        Issued,
        Scope,
    )


class TokenProvider(Protocol):
    """Delegated access: a person consents, a grant results. Every method raises only OAuthError."""

    slug: str
    label: str
    scopes: tuple[Scope, ...]

    def begin(self, request: ConsentRequest) -> Authorization:
        """Prepares a consent with state, nonce and PKCE S256."""

    def complete(self, flow: Flow, params: Mapping[str, str]) -> Issued:
        """Exchanges the callback's parameters for a grant; ID token validated, ``identity`` and ``missing`` set."""

    def refresh(self, state: GrantState) -> Issued:
        """Renews the access token. The new ``state`` must be saved before the token is used."""

    def revoke(self, state: GrantState) -> bool:
        """Tells the provider that the grant is no longer wanted; False where it has no way to be told."""


@runtime_checkable
class AppOnlyProvider(TokenProvider, Protocol):
    """Access without users: we get tokens in our own name, for mailboxes that an administrator opened to us."""

    @property
    def application_scopes(self) -> tuple[Scope, ...]:
        """The permissions that such a token has, and what each is for."""

    def app_only(self, *, tenant: str = "", mailbox: str = "") -> GrantState:
        """The state of such a grant; no proof of anything before a ``refresh`` of it has succeeded."""

    def principal(self, state: GrantState) -> Identity:
        """In whose name its tokens are, and for which organisation (``tenant``): a directory's id, or a domain. There
        is one grant for each: Microsoft's is ours in a directory, and opens every mailbox there that was opened to us;
        Google's is the user's, whose mailbox it opens."""


@runtime_checkable
class AdminConsentProvider(AppOnlyProvider, Protocol):
    """Tenant-wide access for which an administrator consents at the provider's own pages."""

    def admin_consent_url(self, request: ConsentRequest, *, tenant: str, state: str) -> str:
        """Where to send the administrator; ``state`` comes back."""

    def read_admin_consent(self, params: Mapping[str, str]) -> str:
        """The tenant the callback claims; a claim, not a proof."""
