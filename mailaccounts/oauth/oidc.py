"""Any OpenID Connect provider that an administrator named by its issuer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailaccounts.oauth.openid import OpenIdProvider
from mailaccounts.oauth.pinned import look_up
from mailaccounts.oauth.scopes import EMAIL, KEEP, OPENID, PROFILE

if TYPE_CHECKING:
    from mailaccounts.oauth.pinned import Resolve
    from mailaccounts.oauth.types import ClientRegistration


class OidcProvider(OpenIdProvider):
    """Which scope opens mailboxes only the registration can say; without one, the mail server has to be content with
    who signed in."""

    slug = "oidc"
    label = "OpenID Connect"
    scopes = (OPENID, EMAIL, PROFILE, KEEP)

    def __init__(self, registration: ClientRegistration, *, ca_bundle: str = "", resolve: Resolve = look_up) -> None:
        self.label = registration.name or self.label
        super().__init__(registration, ca_bundle=ca_bundle, resolve=resolve)
