"""Nobody finds what people sign in to the CRM with: no token of a provider, no secret of a second step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from allauth.mfa.models import Authenticator

from tests.crm.at_provider import PASSWORD, PROVIDERS
from tests.crm.second_step import recovery_codes, set_up_app, shown_by_app
from tests.haul import (
    Haul,
    collect_admin,
    collect_models,
    collect_tables,
    everything_issued,
    everything_logged,
    spellings,
)

if TYPE_CHECKING:
    from django.test import Client

    from tests.crm.at_provider import Visitor

pytestmark = pytest.mark.django_db


def test_what_people_sign_in_with_is_found_nowhere(visitor: Visitor, anna: Any, admin_client: Client) -> None:
    haul, browser = Haul(), visitor.browser
    with everything_logged() as log, everything_issued() as issued:
        for provider in PROVIDERS:
            visitor.link(provider)
            visitor.sign_out()
        visitor.type_password()
        secret = set_up_app(browser)
        codes = recovery_codes(browser)
        visitor.sign_out()
        visitor.sign_in("google")
        browser.post("/accounts/2fa/authenticate/", {"code": "000000"})
        browser.post("/accounts/2fa/authenticate/", {"code": shown_by_app(secret)})
        assert visitor.is_signed_in
        for page in ("/settings/security/", "/accounts/2fa/totp/deactivate/", "/accounts/3rdparty/", "/contacts/"):
            haul.add(f"page {page}", browser.get(page).content.decode())
        collect_tables(haul)
        collect_models(haul)
        collect_admin(haul, admin_client)
    haul.add("log", "\n".join(log.lines))
    assert len(codes) == 10
    assert Authenticator.objects.filter(user=anna).count() == 2
    assert len(set(issued)) >= 2 * len(PROVIDERS)
    assert haul.kinds_of_places(visitor.mailbox.address) >= {"table", "page", "admin", "print"}
    registered = [each.client_secret for each in visitor.mailbox.sandbox.idp.registrations.values()]
    assert haul.places_of(spellings(secret, *codes, *issued, *registered, PASSWORD)) == []
