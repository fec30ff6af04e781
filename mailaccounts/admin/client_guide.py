"""What is to be done in a provider's own console, and what has to be entered there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.urls import reverse

from mailaccounts.errors import MailAccountsError
from mailaccounts.hooks import hooks
from mailaccounts.models import ClientProof, OAuthClient
from mailaccounts.services.registering import clients

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.http import HttpRequest

STEPS = "admin/mailaccounts/oauthclient/steps_{}.html"
PORTALS = {  # learn.microsoft.com, "National clouds"
    "login.microsoftonline.us": "https://portal.azure.us",
    "login.partner.microsoftonline.cn": "https://portal.azure.cn",
    "login.chinacloudapi.cn": "https://portal.azure.cn",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """Something to copy into the console; ``key`` is its id on the page."""

    key: str
    label: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """The way through the console at ``url``, whose steps are the template ``steps``."""

    label: str
    values: tuple[Value, ...]
    steps: str = STEPS.format("openid")
    console: str = ""
    url: str = ""


def guide_to(client: OAuthClient, *, request: HttpRequest, told: Iterable[tuple[str, str]] = ()) -> Guide:
    """The way for ``client``; ``told`` are the facts of its secret that a console shows as well."""
    values = []
    if client.proof != ClientProof.SERVICE_ACCOUNT:  # with which nobody is sent anywhere
        values += _redirect_uris(client, request)
    values.append(Value(key="scopes", label="Scopes", text=" ".join(scopes_of(client))))
    values += [Value(key=f"fact-{number}", label=name, text=text) for number, (name, text) in enumerate(told)]
    return _guide(client, tuple(values))


def guides(request: HttpRequest) -> list[Guide]:
    """The ways for whoever has no registration yet."""
    new = [OAuthClient(provider=provider) for provider in clients.PROVIDERS]
    return [_guide(client, tuple(_redirect_uris(client, request))) for client in new]


def redirects_of(client: OAuthClient, request: HttpRequest) -> dict[str, str]:
    """Where people come back to from the provider of ``client``, by what for, as the provider has to know it."""
    paths = {"mailboxes": reverse("mailaccounts:callback", args=[client.provider]), **hooks().redirects(client)}
    if client.app_only and hasattr(clients.PROVIDERS.get(client.provider), "admin_consent_url"):
        paths["organisations"] = reverse("mailaccounts:admin_consent", args=[client.provider])
    return {purpose: request.build_absolute_uri(path) for purpose, path in paths.items()}


def scopes_of(client: OAuthClient) -> list[str]:
    """What people are asked for, or what an administrator delegates."""
    try:
        return [scope.name for scope in clients.provider_for(client).scopes]
    except MailAccountsError:  # its secret can't be opened, or nobody speaks for its provider any more
        return client.scopes.split()


def _redirect_uris(client: OAuthClient, request: HttpRequest) -> list[Value]:
    return [
        Value(key=f"redirect-{client.provider}-{number}", label=f"Redirect URI for {purpose}", text=uri)
        for number, (purpose, uri) in enumerate(redirects_of(client, request).items())
    ]


def _guide(client: OAuthClient, values: tuple[Value, ...]) -> Guide:
    label = clients.label(client.provider)
    match client.provider, client.proof:
        case "microsoft", _:
            url = PORTALS.get(urlsplit(client.authority).hostname or "", "https://entra.microsoft.com")
            return Guide(
                label=label, values=values, steps=STEPS.format("microsoft"), console="Microsoft Entra", url=url
            )
        case "google", ClientProof.SERVICE_ACCOUNT:
            url = "https://console.cloud.google.com/iam-admin/serviceaccounts"
            steps = STEPS.format("service_account")
            return Guide(label=label, values=values, steps=steps, console="Google Cloud", url=url)
        case "google", _:
            url = "https://console.cloud.google.com/auth/clients"
            return Guide(label=label, values=values, steps=STEPS.format("google"), console="Google Cloud", url=url)
    return Guide(label=label, values=values)
