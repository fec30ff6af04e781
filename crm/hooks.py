"""What the CRM decides for mailaccounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.urls import reverse

from crm.directory import is_barred, known, own_addresses
from crm.folding import domain_of, fold_address, written
from crm.sign_in import providers
from crm.sign_in.again import ask_again
from mailaccounts.hooks import Hooks
from mailaccounts.services.registering import clients

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from django.http import HttpRequest, HttpResponse

    from mailaccounts.models import MailAccount, OAuthClient


class CrmHooks(Hooks):
    """Contacts are whom we know; everything else is as cautious as mailaccounts makes it."""

    def redirects(self, client: OAuthClient) -> Mapping[str, str]:
        """People sign in with the registrations that the settings name."""
        if client.provider not in providers.offered() or not clients.is_named(client):
            return {}
        return {"signing in": reverse("openid_connect_callback", args=[client.provider])}

    def reauthenticate(self, request: HttpRequest) -> HttpResponse | None:
        return ask_again(request)

    def known_addresses(self, account: MailAccount, addresses: Collection[str]) -> set[str]:
        return set(known(addresses))

    def passed_over(self, account: MailAccount, addresses: Collection[str]) -> set[str]:
        return own_addresses(addresses) | {each for each in addresses if is_barred(domain_of(fold_address(each)))}

    def names_of(self, user: Any, addresses: Collection[str]) -> dict[str, str]:
        return {address: whose.name for address, whose in known(addresses).items()}

    def written(self, pattern: str, *, column: str = "address") -> Q:
        return written(pattern, column=column)

    def shares_with(self, user: Any) -> Q:
        """Everybody who works with this CRM is a colleague."""
        return Q()
