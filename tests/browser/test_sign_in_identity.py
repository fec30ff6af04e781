"""Signing in at an identity provider in a browser: linked, used, its mailbox offered, confirmed with, unlinked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.person import WIDE
from tests.crm.at_provider import registered_world
from tests.crm.sessions import shown_long_ago

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page
    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.testing.sandbox import Sandbox
    from tests.browser.person import Person
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)

LABELS = {"microsoft": "Microsoft", "google": "Google", "oidc": "OpenID Connect"}


@pytest.fixture(autouse=True)
def _providers(world: Sandbox, settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = registered_world(world, settings.MAILACCOUNTS)
    settings.REAUTHENTICATE_AFTER = 3600


def allow(page: Page) -> None:
    page.locator("button[name=allow]").click()


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.parametrize(("provider", "width"), [("microsoft", 390), ("google", 1280), ("oidc", 390)])
def test_an_identity_is_linked_and_signs_in(
    new_person: Callable[..., Person], mailbox: SandboxMailbox, provider: str, width: int
) -> None:
    person = new_person(viewport={"width": width, "height": 900})
    page, label = person.page, LABELS[provider]
    person.sign_in()
    page.goto("/settings/security/")
    page.get_by_role("link", name="Link an account").click()
    person.look("link")
    page.get_by_role("button", name=f"Link an account at {label}").click()
    person.sign_in_at_provider(mailbox)
    allow(page)
    expect(page.get_by_text("The account is linked.")).to_be_visible()
    expect(page.get_by_text(mailbox.address, exact=True)).to_be_visible()
    person.look("linked")

    sign_out(page)
    person.look("sign-in-with")
    sign_in_with(page, label)
    if provider == "microsoft":  # where the sandbox's mailboxes are
        connect_the_mailbox(person, mailbox)
        confirm_and_unlink(person, mailbox)
    assert person.complaints == []


def sign_in_with(page: Page, label: str) -> None:
    """At a provider that knows already who sits there."""
    page.goto("/accounts/login/")
    page.get_by_role("button", name=f"Sign in with {label}").click()
    allow(page)
    expect(page.get_by_role("heading", name="Contacts")).to_be_visible()


def connect_the_mailbox(person: Person, mailbox: SandboxMailbox) -> None:
    """The card leads to the consent with one click, and is gone afterwards."""
    page = person.page
    offer = page.get_by_role("region", name=f"Connect your mailbox {mailbox.address}")
    person.look("mailbox-offered")
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_role("heading", name="Email accounts", exact=True)).to_be_visible()
    person.look("mailbox-offered-in-settings")
    offer.get_by_role("button", name="Connect").click()
    page.get_by_role("button", name="Continue to Microsoft").click()
    person.sign_in_at_provider(mailbox)
    allow(page)
    expect(page.get_by_role("heading", name=mailbox.address)).to_be_visible()
    page.goto("/contacts/")
    expect(page.get_by_role("heading", name="Contacts")).to_be_visible()
    expect(offer).to_have_count(0)


def confirm_and_unlink(person: Person, mailbox: SandboxMailbox) -> None:
    """Without a password the identity is what there is: it confirms who sits there, and can't be unlinked."""
    page = person.page
    person.user.set_unusable_password()  # which ends the session
    person.user.save()
    sign_in_with(page, "Microsoft")
    shown_long_ago()
    page.goto("/settings/email-accounts/connect/")
    expect(page.get_by_role("heading", name="Confirm that it is you")).to_be_visible()
    person.look("confirm-with-identity")
    page.get_by_role("button", name="Sign in at Microsoft once more").click()
    person.sign_in_at_provider(mailbox)
    allow(page)
    expect(page.get_by_role("heading", name="Connect a mailbox")).to_be_visible()
    page.goto("/accounts/3rdparty/")
    page.get_by_role("button", name="Unlink").click()
    expect(page.get_by_text("You couldn't sign in any more.")).to_be_visible()
    person.look("last-means")


def test_pages_say_what_to_do_when_an_identity_doesnt_let_somebody_in(
    new_person: Callable[..., Person],
    mailbox: SandboxMailbox,
    world: Sandbox,
    settings: SettingsWrapper,
) -> None:
    person = new_person(viewport=WIDE)
    page = person.page

    def come_as_stranger() -> None:
        page.goto("/accounts/login/")
        page.get_by_role("button", name="Sign in with Microsoft").click()
        page.wait_for_load_state()
        if page.locator("input[name=username]").count():
            person.sign_in_at_provider(mailbox)
        allow(page)

    come_as_stranger()
    expect(page.get_by_role("heading", name="We don't know this account yet")).to_be_visible()
    person.look("not-linked")
    world.idp.faults.falsify_id_tokens(nonce="another")
    come_as_stranger()
    expect(page.get_by_role("alert")).to_contain_text("The answer of Microsoft could not be verified.")
    person.look("not-verified")
    world.idp.faults.reset()

    page.goto("/accounts/oidc/microsoft/login/")
    person.look("go-on-to-provider")
    page.goto("/accounts/signup/")
    person.look("registration-closed")
    settings.SIGNUP_OPEN = True
    page.goto("/accounts/signup/")
    person.look("registration")
    come_as_stranger()
    expect(page.get_by_role("heading", name="Contacts")).to_be_visible()
    page.goto("/accounts/password/set/")
    person.look("set-a-password")

    sign_out(page)
    page.goto("/accounts/inactive/")
    person.look("deactivated")
    # Chromium notes every answer that isn't 2xx or 3xx.
    assert [each for each in person.complaints if not re.search("status of 403", each)] == []
