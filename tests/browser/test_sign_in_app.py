"""An authenticator app's life in a browser, without JavaScript: set up, used, a recovery code in its place, off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.core.cache import cache
from playwright.sync_api import expect

from tests.browser.person import NARROW, PASSWORD
from tests.crm.second_step import shown_by_app
from tests.crm.sessions import shown_long_ago

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import SettingsWrapper

    from tests.browser.person import Person

pytestmark = pytest.mark.django_db(transaction=True)


def sign_in(person: Person, *, code: str) -> None:
    """Out, and in again by password and code, half a minute later: codes of before are not remembered any more."""
    cache.clear()
    page = person.page
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Login").fill(person.user.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_an_authenticator_app_is_set_up_used_and_turned_off_without_javascript(
    new_person: Callable[..., Person], settings: SettingsWrapper
) -> None:
    settings.REAUTHENTICATE_AFTER = 3600
    person = new_person(viewport=NARROW, java_script_enabled=False)
    page = person.page
    person.sign_in()
    shown_long_ago()
    page.goto("/settings/security/")
    page.get_by_role("link", name="Set up an authenticator app").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()

    expect(page.get_by_role("img", name="The QR code to scan")).to_be_visible()
    person.look("app-set-up", judge=False)
    page.get_by_text("I can't scan it").click()
    secret = page.locator(".secret-key").inner_text()
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_text("That isn't right.")).to_be_visible()
    page.get_by_label("Code").fill(shown_by_app(secret))
    page.get_by_role("button", name="Turn on").click()
    shown = page.get_by_role("list", name="Unused codes").get_by_role("listitem")
    expect(shown).to_have_count(10)
    codes = shown.all_inner_texts()

    sign_in(person, code=shown_by_app(secret))
    expect(page.get_by_role("heading", name="Contacts")).to_be_visible()
    sign_in(person, code=codes[0])
    expect(page.get_by_role("heading", name="Contacts")).to_be_visible()

    page.goto("/settings/security/")
    expect(page.get_by_text("9 left, for when your phone or key is lost.")).to_be_visible()
    page.get_by_role("link", name="Show the recovery codes").click()
    page.get_by_role("link", name="Make new codes").click()
    person.look("new-codes", judge=False)
    page.get_by_role("button", name="Make new codes").click()
    expect(page.get_by_text("10 of 10 are left.")).to_be_visible()
    page.get_by_role("link", name="Done").click()
    page.get_by_role("link", name="Turn off the authenticator app").click()
    person.look("app-turn-off", judge=False)
    page.get_by_role("button", name="Turn off").click()
    expect(page.get_by_role("link", name="Set up an authenticator app")).to_be_visible()
    assert person.complaints == []
