"""An administrator enters an app registration in the admin, copies what the console wants, and has it verified."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from mailaccounts.errors import ClientSecretExpired
from mailaccounts.models import OAuthClient
from mailaccounts.services.registering import registrations
from tests.browser.person import NARROW, WIDE

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page
    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.testing.sandbox import Sandbox
    from tests.browser.person import Person

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/mailaccounts/oauthclient/"


@pytest.fixture
def new_boss(new_person: Callable[..., Person], settings: SettingsWrapper) -> Callable[..., Person]:
    """An administrator of a CRM whose settings name no registration, or the sandbox's (``named``)."""

    def make(*, named: bool = False, **options: object) -> Person:
        if not named:
            settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": {}}
        person = new_person("boss", **options)
        person.user.is_staff = person.user.is_superuser = True
        person.user.save()
        return person

    return make


def enter(page: Page, world: Sandbox, *, secret: str) -> None:
    page.goto(f"{LIST}add/")
    page.get_by_label("Name:").fill("Contoso")
    page.get_by_label("Provider:").select_option("microsoft")
    page.get_by_label("Tenant:").fill(world.idp.tenant)
    page.get_by_label("Authority:").fill(world.idp.authority)
    page.get_by_label("Client ID:").fill(world.idp.client_id)
    page.locator("#id_secret").fill(secret)
    page.locator("#id_secret_expires_on").fill((timezone.localdate() + timedelta(days=12)).isoformat())
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.get_by_text("was added successfully")).to_be_visible()


def test_a_registration_is_entered_verified_and_rotated(new_boss: Callable[..., Person], world: Sandbox) -> None:
    boss = new_boss(viewport=NARROW, permissions=["clipboard-read", "clipboard-write"])
    page = boss.page
    boss.sign_in()
    page.goto(f"{LIST}add/")
    page.get_by_text("What to do at Google").click()
    boss.look("add")

    enter(page, world, secret="mistyped")
    assert page.locator("#id_secret").input_value() == ""
    page.get_by_role("button", name="Copy Redirect URI for mailboxes").click()
    expect(page.get_by_role("button", name="Copy Redirect URI for mailboxes")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("#redirect-microsoft-0").inner_text()
    assert copied.endswith("/oauth/microsoft/callback/")
    boss.look("change")

    page.get_by_role("button", name="Verify step by step").click()
    expect(page.get_by_text("It doesn't work yet.")).to_be_visible()
    expect(page.locator('[data-step="secret"]')).to_have_attribute("data-status", "failed")
    boss.look("failed")

    page.get_by_role("link", name="Back to Contoso").click()
    expect(page.get_by_role("alert")).to_contain_text("doesn't accept the secret")
    page.locator("#id_new_secret").fill(world.idp.client_secret)
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    boss.look("two-secrets")
    page.get_by_role("button", name="Let the next secret take over now").click()
    expect(page.get_by_text("The next secret took over; the one before is destroyed.")).to_be_visible()

    page.get_by_role("button", name="Verify step by step").click()
    expect(page.get_by_text("It works")).to_be_visible()
    boss.look("works")
    page.get_by_role("link", name="Back to Contoso").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    assert boss.complaints == []
    assert OAuthClient.objects.get().client_secret.reveal_text() == world.idp.client_secret


def test_the_list_says_what_has_to_be_done(new_boss: Callable[..., Person], world: Sandbox) -> None:
    boss = new_boss(viewport=WIDE)
    boss.sign_in()
    enter(boss.page, world, secret=world.idp.client_secret)
    registrations.raise_alarm(OAuthClient.objects.get(), ClientSecretExpired(provider="Microsoft"))
    boss.page.goto(LIST)
    expect(boss.page.locator(".notice")).to_contain_text("expires in 12 days")
    expect(boss.page.locator(".state-bad")).to_contain_text("has expired")
    boss.look("list")


def test_a_registration_of_the_settings_is_shown_with_where_it_is_changed(new_boss: Callable[..., Person]) -> None:
    boss = new_boss(named=True, viewport=WIDE)
    boss.sign_in()
    boss.page.goto(LIST)
    boss.page.get_by_role("link", name="Microsoft").click()
    expect(boss.page.get_by_text("The settings name this registration.")).to_be_visible()
    boss.look("named")
    boss.page.get_by_role("button", name="Verify step by step").click()
    expect(boss.page.get_by_text("It works")).to_be_visible()


def test_without_javascript_everything_can_be_done(new_boss: Callable[..., Person], world: Sandbox) -> None:
    boss = new_boss(viewport=WIDE, java_script_enabled=False)
    page = boss.page
    boss.sign_in()
    enter(page, world, secret=world.idp.client_secret)
    expect(page.locator("#redirect-microsoft-0")).to_be_visible()
    expect(page.get_by_role("button", name="Copy Redirect URI for mailboxes")).to_be_hidden()
    page.get_by_role("button", name="Verify step by step").click()
    expect(page.get_by_text("It works")).to_be_visible()
