"""App registrations: the settings name them, a row keeps each so that grants can point to it."""

from __future__ import annotations

import hmac
import logging
import time
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mailaccounts.conf import settings
from mailaccounts.crypto import Secret
from mailaccounts.errors import ClientMissing, VaultError
from mailaccounts.models import ClientProof, OAuthClient
from mailaccounts.oauth.google import GoogleProvider
from mailaccounts.oauth.microsoft import MicrosoftProvider
from mailaccounts.oauth.oidc import OidcProvider
from mailaccounts.oauth.types import ClientRegistration

if TYPE_CHECKING:
    from mailaccounts.oauth.base import BaseProvider
    from mailaccounts.oauth.pinned import Resolve

logger = logging.getLogger(__name__)

PROVIDERS: dict[str, type[BaseProvider]] = {
    each.slug: each for each in (MicrosoftProvider, GoogleProvider, OidcProvider)
}
HTTPS = 443


def is_registered(provider: str) -> bool:
    """Whether the settings name an app registration with ``provider``."""
    raw = settings.clients.get(provider, {})
    return provider in PROVIDERS and all(raw.get(key) for key in ("client_id", "client_secret", "authority"))


def offered() -> list[OAuthClient]:
    """Every registration that people can be sent with: those the settings name, then those an administrator added."""
    named = [registered(provider) for provider in PROVIDERS if is_registered(provider)]
    added = OAuthClient.objects.filter(is_active=True, in_settings=False, provider__in=PROVIDERS)
    added = added.exclude(proof=ClientProof.SERVICE_ACCOUNT)  # which nobody can sign in with
    return [*named, *added.exclude(pk__in=[client.pk for client in named]).order_by("name")]


def registered(provider: str) -> OAuthClient:
    """The row of the registration that the settings name for ``provider``, with today's secret.

    ClientMissing when the settings have none.
    """
    if not is_registered(provider):
        raise ClientMissing(provider=label(provider))
    raw = settings.clients[provider]
    key = {"provider": provider, "authority": _authority(provider), "client_id": raw["client_id"]}
    said: dict[str, Any] = {name: raw[name] for name in ("name", "tenant", "scopes") if name in raw}
    said["name"] = said.get("name") or label(provider)
    if "secret_expires_on" in raw:
        said["secret_expires_on"] = _day(raw["secret_expires_on"])
    secret = Secret(raw["client_secret"])
    client, created = OAuthClient.objects.get_or_create(
        **key, defaults={**said, "client_secret": secret, "in_settings": True}
    )
    changed: dict[str, Any] = {
        name: value for name, value in said.items() if name in raw and getattr(client, name) != value
    }
    if not created and not _has(client, raw["client_secret"]):
        changed["client_secret"] = secret
    for name, value in changed.items():
        setattr(client, name, value)
    if changed:
        client.save(update_fields=list(changed))
    return client


def remember_named() -> None:
    """Sees to it that there is an up to date row for each registration that the settings name."""
    for provider in PROVIDERS:
        try:
            registered(provider)
        except (ClientMissing, VaultError):  # which the system checks report
            continue


def provider_for(client: OAuthClient, *, secret: Secret | None = None) -> BaseProvider:
    """The provider that speaks for ``client``, with ``secret`` or the one in force; ClientMissing when it isn't one of
    ours any more."""
    if client.provider not in PROVIDERS:
        raise ClientMissing(provider=label(client.provider))
    registration = ClientRegistration(
        client_id=client.client_id,
        client_secret=(secret or secret_in_force(client)).reveal_text(),
        authority=client.authority,
        tenant=client.tenant,
        proof=client.proof,
        scopes=tuple(client.scopes.split()),
        name=client.name,
    )
    return PROVIDERS[client.provider](registration, ca_bundle=settings.ca_bundle, resolve=_host_policy(client))


def secret_in_force(client: OAuthClient) -> Secret:
    """The settings' secret while they name this registration, so that replacing an expired one is enough."""
    if is_named(client):
        return Secret(settings.clients[client.provider]["client_secret"])
    kept: Secret = client.client_secret
    return kept


def next_secret(client: OAuthClient) -> Secret | None:
    """The secret that waits for its turn; None while the settings say what the secret is."""
    return None if is_named(client) else client.next_secret


def is_named(client: OAuthClient) -> bool:
    """Whether the settings name this registration now."""
    raw = settings.clients.get(client.provider, {})
    return is_registered(client.provider) and (raw["client_id"], _authority(client.provider)) == (
        client.client_id,
        client.authority,
    )


def label(provider: str) -> str:
    """What people call ``provider``."""
    own = PROVIDERS[provider].label if provider in PROVIDERS else provider
    return settings.clients.get(provider, {}).get("name") or own


def _day(text: str) -> date | None:
    """A day as the settings have it; one that can't be read is reported by the system checks."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def check_authority(authority: str) -> None:
    """Has the host of ``authority`` pass the host policy, as it will have to; raises what is wrong with it."""
    parts = urlsplit(authority)
    deadline = time.monotonic() + settings.network.limits.connect_seconds
    _host_policy(OAuthClient(authority=authority))(parts.hostname or "", parts.port or HTTPS, deadline=deadline)


def _authority(provider: str) -> str:
    """The whole authority that the settings name."""
    raw = settings.clients[provider]
    return PROVIDERS[provider].whole_authority(raw["authority"], raw.get("tenant", ""))


def _host_policy(client: OAuthClient) -> Resolve:
    """Judges hosts of an identity provider as those of mail servers are judged, for https: its usual port, and the one
    that an administrator wrote into the authority."""
    ports = {HTTPS, urlsplit(client.authority).port or HTTPS}
    return replace(settings.network, ports=frozenset(ports)).resolve


def _has(client: OAuthClient, secret: str) -> bool:
    """Whether ``secret`` is what the row keeps; one that can't be opened any more isn't."""
    try:
        return hmac.compare_digest(client.client_secret.reveal(), secret.encode())
    except VaultError:
        return False
