"""Whoever signs in with an identity that has a mailbox is offered to connect it, until they do or say no."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from allauth.socialaccount.models import SocialAccount

from mailaccounts.services.consents.suggest import is_worth_offering
from tests.app.builders import make_account, make_user
from tests.crm.at_provider import PASSWORD, text
from tests.crm.sessions import shown_long_ago

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from tests.crm.at_provider import Visitor

pytestmark = pytest.mark.django_db

PAGES = ("/contacts/", "/settings/email-accounts/")


@pytest.fixture
def here(linked: Visitor) -> Visitor:
    """Anna's browser, signed in with her Microsoft account."""
    linked.sign_in("microsoft")
    return linked


@pytest.mark.parametrize("page", PAGES)
def test_one_click_leads_to_what_is_still_to_be_allowed(here: Visitor, page: str) -> None:
    address = here.mailbox.address
    shown = text(here.browser.get(page))
    assert f"Connect your mailbox {address}" in shown
    there = f"/settings/email-accounts/connect/?address={address.replace('@', '%40')}"
    assert f'action="{there}"' in shown
    consent = text(here.browser.post(there, {"address": address}))
    assert "IMAP.AccessAsUser.All" in consent
    assert "Continue to Microsoft" in consent


def test_who_has_to_confirm_first_keeps_the_address(here: Visitor) -> None:
    shown_long_ago()
    there = "/settings/email-accounts/connect/?address=anna%40sandbox.test"
    asked = here.browser.post(there, {"address": "anna@sandbox.test"})["Location"]
    assert here.browser.post(asked, {"password": PASSWORD})["Location"] == there
    assert 'value="anna@sandbox.test"' in text(here.browser.get(there))


def test_it_is_gone_once_the_mailbox_is_connected(here: Visitor, anna: Any) -> None:
    make_account(owner=anna, address=here.mailbox.address.upper())
    for page in PAGES:
        assert "Connect your mailbox" not in text(here.browser.get(page))


def test_it_is_gone_once_declined_and_stays_away(here: Visitor) -> None:
    form = {"address": here.mailbox.address, "next": "/settings/email-accounts/"}
    assert here.browser.post("/accounts/mailbox/decline/", form)["Location"] == "/settings/email-accounts/"
    here.sign_out()
    here.sign_in("microsoft")
    for page in PAGES:
        assert "Connect your mailbox" not in text(here.browser.get(page))


def test_nobody_else_is_asked(here: Visitor, stranger: Visitor) -> None:
    ben = make_user("ben")
    stranger.browser.force_login(ben)
    assert "Connect your mailbox" not in text(stranger.browser.get("/contacts/"))
    stranger.browser.post("/accounts/mailbox/decline/", {"address": here.mailbox.address})
    assert "Connect your mailbox" in text(here.browser.get("/contacts/"))


def test_declining_leads_to_no_other_site(here: Visitor) -> None:
    form = {"address": here.mailbox.address, "next": "https://elsewhere.test/"}
    assert here.browser.post("/accounts/mailbox/decline/", form)["Location"] == "/contacts/"


def test_an_identity_without_an_address_is_no_mailbox(here: Visitor) -> None:
    account = SocialAccount.objects.get()
    for address in ("", "anna", "<b>@x"):
        account.extra_data["address"] = address
        account.save()
        assert "<b>" not in text(here.browser.get("/contacts/"))


@pytest.mark.parametrize(
    ("address", "provider", "worth"),
    [
        ("anna@outlook.com", "microsoft", True),
        ("anna@their-own.test", "microsoft", True),  # an organisation's domain
        ("anna@gmail.com", "microsoft", False),  # a Microsoft account under another provider's address
        ("anna@gmail.com", "google", True),
        ("anna@their-own.test", "google", True),
        ("anna@gmx.net", "google", False),
        ("anna@their-own.test", "oidc", False),  # it may know people and have no mail
        ("anna@outlook.com", "nobody", False),
        ("anna", "microsoft", False),
    ],
)
def test_what_is_worth_offering_is_told_without_asking_the_network(
    providers: object, anna: Any, address: str, provider: str, worth: bool
) -> None:
    assert is_worth_offering(address, provider=provider, user=anna) is worth


def test_nothing_is_offered_without_a_registration(here: Visitor, settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": {}}
    assert "Connect your mailbox" not in text(here.browser.get("/contacts/"))
