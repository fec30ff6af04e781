"""Mailboxes without their users: opened in our own name, where an administrator has switched that on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils import timezone

from mailaccounts.backends.base import ConsentBackend
from mailaccounts.backends.registry import backend, backends
from mailaccounts.crypto import Secret
from mailaccounts.errors import AppOnlyOff
from mailaccounts.models import AuditAction, Grant, GrantStatus
from mailaccounts.oauth.provider import AppOnlyProvider
from mailaccounts.services.connecting.connect import checked, new_account
from mailaccounts.services.limits.attempts import count_attempt
from mailaccounts.services.registering import clients, registrations
from mailaccounts.services.registering.tenant_state import insist_on
from mailaccounts.services.signing_in.credentials import activate
from mailaccounts.services.signing_in.login import verify
from mailaccounts.services.signing_in.tokens import GrantTokens
from mailaccounts.services.trail.audit import note

if TYPE_CHECKING:
    from mailaccounts.backends.base import TokenSource
    from mailaccounts.mail.sasl import Authenticator
    from mailaccounts.models import MailAccount, OAuthClient
    from mailaccounts.oauth.types import Identity, Issued
    from mailaccounts.services.connecting.account_draft import AccountDraft


def grant_for(client: OAuthClient, *, tenant: str = "", mailbox: str = "") -> Grant:
    """The grant that opens ``mailbox`` of ``tenant`` in our own name: the one there is, or a new one that has already
    yielded a token. Whether the mailbox opens is for its server to say.

    AppOnlyOff, OrganisationOff, and what the provider raises.
    """
    provider = provider_of(client)
    state = provider.app_only(tenant=tenant, mailbox=mailbox)
    who = provider.principal(state)
    insist_on(client, who.tenant)
    known = Grant.objects.filter(client=client, app_only=True, tenant=who.tenant, subject=who.subject)
    grant = known.filter(status=GrantStatus.ACTIVE).first()
    return grant or _save(client, who, registrations.ask(client, lambda provider: provider.refresh(state)))


def connect_app_only(draft: AccountDraft, client: OAuthClient, *, tenant: str = "", actor: Any = None) -> MailAccount:
    """Proves that we may open the mailbox, then saves the account and queues its first sync. ``actor`` is the user who
    does it, None for an operator at the shell.

    AppOnlyOff; PermissionMissing when its administrator hasn't opened this mailbox to us; and what ``grant_for`` and
    services.connecting.connect raise. A grant that served nobody in the end is kept: the next mailbox may need it.
    """
    draft = checked(draft)
    mailbox = draft.username or draft.address
    count_attempt(user_id=draft.owner.pk, host=draft.imap.host)
    grant = grant_for(client, tenant=tenant, mailbox=mailbox)
    proof = verify(imap=draft.imap, smtp=draft.smtp, authenticator=authenticator(mailbox, GrantTokens(grant.pk)))
    slug = backend_slug()
    with new_account(draft) as account:
        activate(account, backend=slug, username=mailbox, grant=grant, proof=proof)
        note(AuditAction.CONNECTED, account, actor=actor, backend=slug, sends=proof.smtp)
    return account


def provider_of(client: OAuthClient) -> AppOnlyProvider:
    """The provider of a registration that may act in its own name; AppOnlyOff for any other, and without a backend
    for such access."""
    provider = clients.provider_for(client)
    allowed = client.app_only and client.is_active and backend_slug()
    if not (allowed and isinstance(provider, AppOnlyProvider)):
        raise AppOnlyOff(provider=provider.label)
    return provider


def backend_slug() -> str:
    """The backend for access without users; "" when the settings have none."""
    return next((slug for slug, each in backends().items() if isinstance(each, ConsentBackend) and each.app_only), "")


def authenticator(mailbox: str, tokens: TokenSource) -> Authenticator:
    """Signs in to ``mailbox`` in our own name."""
    return backend(backend_slug()).authenticator(mailbox, Secret(b""), tokens)


def _save(client: OAuthClient, who: Identity, issued: Issued) -> Grant:
    """Of two workers the second finds the first one's row; its token is as good."""
    kept: dict[str, Any] = {
        "issuer": who.issuer,
        "signed_in_as": who.address,
        "scopes": " ".join(sorted(issued.scopes)),
        "state": Secret(bytes(issued.state)),
        "access_token": Secret(issued.token.value),
        "expires_at": issued.token.expires_at,
        "refreshed_at": timezone.now(),
        "status": GrantStatus.ACTIVE,
    }
    grant, _ = Grant.objects.update_or_create(
        client=client, app_only=True, tenant=who.tenant, subject=who.subject, defaults=kept
    )
    return grant
