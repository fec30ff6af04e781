"""The sandbox's providers as the CRM speaks to them, and people who consent there."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from mailaccounts.backends.token_login import TokenAuthenticator
from mailaccounts.mail.imap import ImapSession
from mailaccounts.mail.network import Network
from mailaccounts.mail.types import Limits
from mailaccounts.oauth.types import ConsentRequest
from mailaccounts.services.registering.clients import PROVIDERS
from mailaccounts.services.signing_in.tokens import IssuedTokens
from mailaccounts.testing.sandbox.registrations import redirect_uris

if TYPE_CHECKING:
    from mailaccounts.oauth.base import BaseProvider
    from mailaccounts.oauth.types import AccessToken, Authorization, Issued
    from tests.sandbox_fixtures import SandboxMailbox

SCOPES = {"oidc": ("openid", "offline_access", "mail")}  # which a registration has to name


def made(mailbox: SandboxMailbox, slug: str, **changes: Any) -> BaseProvider:
    """The provider ``slug``, with ``changes`` to the CRM's registration."""
    registration = mailbox.sandbox.idp.registrations[slug]
    changed = dataclasses.replace(registration, **{"scopes": SCOPES.get(slug, ()), **changes})
    return PROVIDERS[slug](changed, ca_bundle=str(mailbox.sandbox.ca_file))


def begin(provider: BaseProvider, **changes: Any) -> Authorization:
    scopes = tuple(scope.name for scope in provider.scopes)
    redirect_uri = redirect_uris(provider.slug)[0]
    return provider.begin(ConsentRequest(**{"redirect_uri": redirect_uri, "scopes": scopes, **changes}))


def consent(provider: BaseProvider, mailbox: SandboxMailbox, **changes: Any) -> Issued:
    """What comes of the mailbox's user signing in and allowing everything."""
    authorization = begin(provider, **changes)
    params = mailbox.sandbox.idp.person(mailbox.user).consent(authorization.url)
    return provider.complete(authorization.flow, params)


def opens(mailbox: SandboxMailbox, token: AccessToken) -> None:
    """Opens the mailbox with ``token``; TokenRejected when the server doesn't let it."""
    authenticator = TokenAuthenticator(mailbox.address, IssuedTokens(token))
    network = Network.from_text(
        allow=["127.0.0.0/8", "::1"], ports=[993], ca_bundle=str(mailbox.sandbox.ca_file), limits=Limits()
    )
    with ImapSession.open(mailbox.sandbox.imap, authenticator, network=network) as session:
        session.select("INBOX", readonly=True)
