"""An administrator lets us into all mailboxes of an organisation, at Microsoft's pages or in Google's console.

What comes back from Microsoft's consent page are claims that anybody can write into a URL. So the administrator signs
in first: the directory in that validated ID token is the only one that the consent is asked for, and accepted from;
and a token of ours for it has to say that it may read.
"""

from __future__ import annotations

from contextlib import suppress
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any

from mailaccounts.errors import (
    AppOnlyOff,
    ClientMisconfigured,
    IdTokenInvalid,
    MailAccountsError,
    NoOrganisation,
    OtherOrganisation,
)
from mailaccounts.oauth.clouds import PERSONAL
from mailaccounts.oauth.provider import AdminConsentProvider
from mailaccounts.oauth.types import ConsentRequest
from mailaccounts.services.connecting import consent_attempts
from mailaccounts.services.connecting.connect import clean_address
from mailaccounts.services.limits.attempts import count_attempt
from mailaccounts.services.organisations import apponly, canary, tenants
from mailaccounts.services.registering import clients, registrations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailaccounts.models import OAuthClient, TenantAccess
    from mailaccounts.oauth.types import Identity

SIGN_IN, CONSENT = "sign_in", "consent"  # what an attempt waits for


def begin(client: OAuthClient, *, user: Any, redirect_uri: str) -> str:
    """Where the administrator signs in, so that we know whose administrator it is.

    AppOnlyOff, TooManyAttempts, and what the provider raises.
    """
    speaker = _speaker(client)
    count_attempt(user_id=user.pk, host=client.authority)
    try:
        authorization = speaker.begin(ConsentRequest(redirect_uri=redirect_uri, scopes=()))
    except ClientMisconfigured as error:
        registrations.raise_alarm(client, error)
        raise
    _remember(client, user, authorization.state, {"flow": dict(authorization.flow), "uri": redirect_uri}, SIGN_IN)
    return authorization.url


def answer(params: Mapping[str, str], *, provider: str, user: Any) -> str | TenantAccess:
    """Uses up the attempt that ``params`` answer: after the sign-in, where the administrator consents; after the
    consent, the organisation's access, proven.

    ConsentExpired unless the same user began it within ten minutes and it wasn't used; NoOrganisation,
    OtherOrganisation, RolesMissing, ConsentDeclined, and what the provider raises. Nothing is stored then but a note.
    """
    attempt, kept = consent_attempts.take(
        params.get("state", ""), user=user, provider=provider, backend=apponly.backend_slug()
    )
    client = attempt.client
    try:
        if attempt.wish["waits_for"] == SIGN_IN:
            return _ask(client, _signed_in(client, kept["flow"], params), user=user, redirect_uri=kept["uri"])
        return _admit(client, params, tenant=kept["tenant"], by=kept["by"], user=user)
    except MailAccountsError as error:
        tenants.note_refusal(client, error, tenant=kept.get("tenant", ""), actor=user)
        raise


def delegated(client: OAuthClient, *, mailbox: str, user: Any) -> TenantAccess:
    """The access of a Google Workspace whose administrator delegated it in their console: proven by a token for
    ``mailbox``. AppOnlyOff, InvalidInput, TooManyAttempts, DelegationMissing, UserUnknownAtProvider."""
    mailbox = clean_address(mailbox)
    count_attempt(user_id=user.pk, host=client.authority)
    tenant = tenants.tenant_of(client, mailbox)
    issued = tenants.fresh_token(client, tenant=tenant, mailbox=mailbox)
    return _checked(tenants.admit(client, tenant=tenant, issued=issued, by="", actor=user), user)


def _signed_in(client: OAuthClient, flow: Mapping[str, Any], params: Mapping[str, str]) -> Identity:
    """Who has just signed in. What that granted was never wanted, and is given back."""
    issued = registrations.ask(client, lambda speaker: speaker.complete(flow, params))
    registrations.revoke_if_possible(client, issued.state)
    who = issued.identity
    if who is None or not who.tenant:
        raise IdTokenInvalid(provider=clients.label(client.provider))
    if who.tenant.lower() == PERSONAL:
        raise NoOrganisation(signed_in_as=who.address or "This")
    return who


def _ask(client: OAuthClient, who: Identity, *, user: Any, redirect_uri: str) -> str:
    """Where ``who`` consents, for the directory they signed in to and no other."""
    state = token_urlsafe(32)
    url = _speaker(client).admin_consent_url(
        ConsentRequest(redirect_uri=redirect_uri, scopes=()), tenant=who.tenant, state=state
    )
    _remember(client, user, state, {"tenant": who.tenant.lower(), "by": who.address or who.object_id}, CONSENT)
    return url


def _admit(client: OAuthClient, params: Mapping[str, str], *, tenant: str, by: str, user: Any) -> TenantAccess:
    speaker = _speaker(client)
    if speaker.read_admin_consent(params).lower() != tenant:
        raise OtherOrganisation(provider=speaker.label)
    issued = tenants.fresh_token(client, tenant=tenant)
    return _checked(tenants.admit(client, tenant=tenant, issued=issued, by=by, actor=user), user)


def _checked(access: TenantAccess, user: Any) -> TenantAccess:
    """The access, on again if it had been and was lost only by what has just been given. A canary that can't be tried
    now leaves it as it is."""
    if access.canary:
        with suppress(MailAccountsError):
            canary.check(access, actor=user)
    return access


def _remember(client: OAuthClient, user: Any, state: str, kept: Mapping[str, Any], waits_for: str) -> None:
    consent_attempts.remember(
        user=user, client=client, backend=apponly.backend_slug(), state=state, flow=kept, wish={"waits_for": waits_for}
    )


def _speaker(client: OAuthClient) -> AdminConsentProvider:
    speaker = apponly.provider_of(client)
    if not isinstance(speaker, AdminConsentProvider):
        raise AppOnlyOff(provider=speaker.label)
    return speaker
