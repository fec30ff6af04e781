"""Every page of allauth's that no other journey comes by is in the CRM's look, and axe finds nothing against it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from django.core.cache import cache
from playwright.sync_api import expect

from tests.browser.person import NARROW, PASSWORD
from tests.crm.second_step import shown_by_app

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import SettingsWrapper

    from tests.browser.person import Person

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE_SIGNING_IN = {
    "password/reset/": "password-forgotten",
    "password/reset/done/": "password-mail-sent",
    "password/reset/key/1-set-password/": "password-link-is-old",
    "password/reset/key/done/": "password-is-new",
    "3rdparty/login/cancelled/": "cancelled",
}
ONCE_SIGNED_IN = {
    "email/": "addresses",
    "password/change/": "password-change",
    "2fa/totp/activate/": "app-set-up",
    "2fa/webauthn/": "no-passkeys",
    "3rdparty/": "nothing-linked",
    "logout/": "sign-out",
}
WITH_AN_APP = {
    "2fa/totp/deactivate/": "app-turn-off",
    "2fa/recovery-codes/": "codes",
    "2fa/recovery-codes/generate/": "new-codes",
    "2fa/reauthenticate/": "confirm-with-code",
}


def test_pages_of_signing_in(new_person: Callable[..., Person], settings: SettingsWrapper) -> None:
    person = new_person(viewport=NARROW)
    page = person.page

    def visit(pages: dict[str, str]) -> None:
        for address, name in pages.items():
            page.goto(f"/accounts/{address}")
            assert page.locator(".host-mark").count(), f"{address} is not in the CRM's look"
            person.look(name)

    visit(BEFORE_SIGNING_IN)
    person.sign_in()
    visit(ONCE_SIGNED_IN)
    page.goto("/accounts/2fa/totp/activate/")
    page.get_by_text("I can't scan it").click()
    secret = page.locator(".secret-key").inner_text()
    page.get_by_label("Authenticator code").fill("000000")
    page.get_by_role("button", name="Turn on").click()
    person.look("app-wrong-code")
    page.get_by_label("Authenticator code").fill(shown_by_app(secret))
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    visit(WITH_AN_APP)

    page.goto("/contacts/")
    page.get_by_role("button", name="Sign out").click()
    for _ in range(6):
        page.get_by_label("Login").fill(person.user.username)
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_role("alert")).to_be_visible()
    person.look("too-many-attempts")
    cache.clear()
    page.get_by_label("Login").fill(person.user.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text("That isn't right.")).to_be_visible()
    person.look("second-step-wrong-code")
    settings.ACCOUNT_RATE_LIMITS = {"login": "0/m/ip"}
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Sign in with Microsoft").click()
    expect(page.get_by_role("heading", name="Too many attempts")).to_be_visible()
    person.look("too-many-requests")
    assert [each for each in person.complaints if not re.search("status of 4", each)] == []
