"""The CRM placed in the sandbox's world: its settings, and grants and accounts made the way people make them."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.db import connection

from mailaccounts.crypto import Secret
from mailaccounts.oauth.types import ConsentRequest
from mailaccounts.services.connecting.account_draft import AccountDraft
from mailaccounts.services.connecting.connect import connect
from mailaccounts.services.connecting.granted import grant_row
from mailaccounts.services.connecting.wish import Purpose, Wish
from mailaccounts.services.consents import consent
from mailaccounts.services.registering import clients
from mailaccounts.testing.sandbox.registrations import PROVIDERS, redirect_uris

if TYPE_CHECKING:
    from collections.abc import Collection

    from mailaccounts.models import Grant, MailAccount
    from mailaccounts.oauth.types import Issued
    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox

REDIRECT_URI = redirect_uris("microsoft")[0]


def world_of(sandbox: Sandbox, raw: dict[str, Any], *, providers: Collection[str] = ("microsoft",)) -> dict[str, Any]:
    """``raw`` MAILACCOUNTS settings, changed so that the sandbox is trusted and its ``providers`` registered with."""
    environment = sandbox.environment()
    clients = {
        "microsoft": {
            "client_id": environment["MICROSOFT_CLIENT_ID"],
            "client_secret": environment["MICROSOFT_CLIENT_SECRET"],
            "tenant": environment["MICROSOFT_TENANT"],
            "authority": environment["MICROSOFT_AUTHORITY"],
        },
        "google": {
            "client_id": environment["GOOGLE_CLIENT_ID"],
            "client_secret": environment["GOOGLE_CLIENT_SECRET"],
            "authority": environment["GOOGLE_AUTHORITY"],
        },
        "oidc": {
            "name": environment["OIDC_NAME"],
            "client_id": environment["OIDC_CLIENT_ID"],
            "client_secret": environment["OIDC_CLIENT_SECRET"],
            "authority": environment["OIDC_ISSUER"],
            "scopes": environment["OIDC_SCOPES"],
        },
    }
    return {
        **raw,
        "CA_BUNDLE": environment["MAILACCOUNTS_CA_BUNDLE"],
        "ALLOW_PRIVATE_HOSTS": environment["MAILACCOUNTS_ALLOW_PRIVATE_HOSTS"].split(","),
        "PRESETS_FILE": environment["MAILACCOUNTS_PRESETS_FILE"],
        "CLIENTS": {name: clients[name] for name in providers},
    }


def process_environment(sandbox: Sandbox) -> dict[str, str]:
    """What another process needs to be this CRM: the same database, the same world."""
    database = connection.settings_dict
    login = f"{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}"
    return {
        **os.environ,
        **sandbox.environment(),
        "DJANGO_SETTINGS_MODULE": "crm.settings",
        "DATABASE_URL": f"postgres://{login}/{database['NAME']}",
    }


def issue(mailbox: SandboxMailbox) -> Issued:
    """What the mailbox's user consents to at the provider's pages."""
    provider = clients.provider_for(clients.registered("microsoft"))
    scopes = tuple(scope.name for scope in provider.scopes)
    authorization = provider.begin(ConsentRequest(redirect_uri=REDIRECT_URI, scopes=scopes))
    params = mailbox.sandbox.idp.person(mailbox.user).consent(authorization.url)
    return provider.complete(authorization.flow, params)


def make_real_grant(mailbox: SandboxMailbox) -> Grant:
    """A grant that the provider knows."""
    grant = grant_row(issue(mailbox), clients.registered("microsoft"))
    grant.save()
    return grant


def draft_of(mailbox: SandboxMailbox, user: Any) -> AccountDraft:
    """What ``user`` would enter to connect ``mailbox``."""
    sandbox = mailbox.sandbox
    return AccountDraft(owner=user, address=mailbox.address, imap=sandbox.imap, smtp=sandbox.smtp)


def connect_by_password(mailbox: SandboxMailbox, user: Any) -> MailAccount:
    """The account of ``user`` for ``mailbox``, proven and stored."""
    return connect(draft_of(mailbox, user), backend="password", secret=Secret(mailbox.password))


def leave_for_consent(account: MailAccount, user: Any, **changes: Any) -> str:
    """Where to go for a consent for ``account``; ``changes`` are those of the wish."""
    wish = replace(Wish.of(account, Purpose.SWITCH), **changes)
    return leave(wish, user, account=account)


def leave_to_connect(mailbox: SandboxMailbox, user: Any, *, shared: bool = False, **changes: Any) -> str:
    """Where to go for a consent that connects ``mailbox``; ``changes`` are those of the draft."""
    draft = replace(draft_of(mailbox, user), **changes)
    return leave(Wish(purpose=Purpose.CONNECT, draft=draft, shared=shared), user)


def leave(wish: Wish, user: Any, *, account: MailAccount | None = None) -> str:
    (offer,) = consent.offers(account or wish.draft)
    redirect_uri = redirect_uris(offer.client.provider)[0]
    return consent.begin(wish, user=user, offer=offer, redirect_uri=redirect_uri, account=account)


def come_back(url: str, person: SandboxMailbox, user: Any) -> MailAccount:
    """Signs in at the provider that ``url`` leads to as ``person``, allows, and comes back."""
    params = person.sandbox.idp.person(person.user).consent(url)
    provider = next(name for name in PROVIDERS if quote(redirect_uris(name)[0], safe="") in url)
    return consent.complete(provider, params, user=user)


def connect_by_consent(
    mailbox: SandboxMailbox, user: Any, *, person: SandboxMailbox | None = None, **changes: Any
) -> MailAccount:
    """The whole way to a new account, signed in at the provider as ``person``, the mailbox's own user by default."""
    return come_back(leave_to_connect(mailbox, user, **changes), person or mailbox, user)


def switch_by_consent(account: MailAccount, person: SandboxMailbox, **changes: Any) -> MailAccount:
    """The whole way: leaves, signs in as ``person``, allows, comes back."""
    return come_back(leave_for_consent(account, account.owner, **changes), person, account.owner)
