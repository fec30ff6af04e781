"""What the admin says of organisations: plain values for its templates. Nothing here asks the network."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.urls import reverse

from mailaccounts.admin.client_guide import Value
from mailaccounts.errors import ClientMisconfigured, MailAccountsError
from mailaccounts.models import OAuthClient
from mailaccounts.oauth.google import GoogleProvider
from mailaccounts.oauth.provider import AdminConsentProvider, AppOnlyProvider
from mailaccounts.rules import powershell
from mailaccounts.services.registering import clients

if TYPE_CHECKING:
    from collections.abc import Collection

    from django.http import HttpRequest

    from mailaccounts.models import TenantAccess
    from mailaccounts.services.organisations.members import Refused

GOOGLE_CONSOLE = "https://admin.google.com/ac/owl/domainwidedelegation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """What an application may be allowed, why, and whether it is."""

    name: str
    reason: str
    granted: bool
    sends: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WayIn:
    """How an organisation's administrator lets us in: at the provider's pages (``consents``), or by entering
    ``values`` in its console. ``principal`` are the lines that make us known to Exchange."""

    consents: bool
    values: tuple[Value, ...]
    console: str = ""
    principal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A registration that organisations may let in; ``allowed`` once an administrator of ours wants that."""

    client: OAuthClient
    label: str
    allowed: bool
    way_in: WayIn

    @classmethod
    def all(cls, request: HttpRequest) -> list[Candidate]:
        clients.remember_named()
        found = []
        for client in OAuthClient.objects.filter(is_active=True).order_by("name"):
            way = way_in(client, request)
            if way is not None:
                label = clients.label(client.provider)
                found.append(cls(client=client, label=label, allowed=client.app_only, way_in=way))
        return found


def way_in(client: OAuthClient, request: HttpRequest) -> WayIn | None:
    """The way for ``client``; None for one that has no access without users."""
    speaker = _speaker(client)
    if isinstance(speaker, AdminConsentProvider):
        uri = request.build_absolute_uri(reverse("mailaccounts:admin_consent", args=[client.provider]))
        values = (Value(key=f"uri-{client.pk}", label="Redirect URI for organisations", text=uri),)
        return WayIn(consents=True, values=values, principal="\n".join(powershell.service_principal(client.client_id)))
    if isinstance(speaker, GoogleProvider) and client.proof == "service_account":
        with suppress(ClientMisconfigured):  # the key can't be read, which the registration's own page says
            scopes = ",".join(scope.name for scope in speaker.application_scopes)
            delegated = (
                Value(key=f"id-{client.pk}", label="Client ID", text=speaker.delegated_client_id),
                Value(key=f"scopes-{client.pk}", label="OAuth scopes", text=scopes),
            )
            return WayIn(consents=False, values=delegated, console=GOOGLE_CONSOLE)
    return None


def missing_lines(access: TenantAccess, found: Collection[Refused]) -> str:
    """What Exchange's administrator has to enter for the mailboxes that were refused; "" for none."""
    lines = powershell.mailbox_permissions(
        access.client.client_id,
        reading=[each.address for each in found if each.reading],
        sending=[each.address for each in found if each.sending],
    )
    return "\n".join(lines)


def permissions_of(access: TenantAccess) -> list[Permission]:
    """Each permission there is, and whether the last token had it."""
    speaker, granted = _speaker(access.client), access.roles.split()
    if speaker is None:
        return []
    return [
        Permission(name=each.name, reason=each.reason, granted=each.name in granted, sends=each.sends)
        for each in speaker.application_scopes
    ]


def _speaker(client: OAuthClient) -> AppOnlyProvider | None:
    try:
        speaker = clients.provider_for(client)
    except MailAccountsError:  # its secret can't be opened, or nobody speaks for its provider any more
        return None
    return speaker if isinstance(speaker, AppOnlyProvider) else None
