"""A passkey's life in a browser: added, used to sign in, to confirm and as the second step, renamed, removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.person import PASSWORD, WIDE
from tests.crm.sessions import shown_long_ago

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page
    from pytest_django.fixtures import SettingsWrapper

    from tests.browser.person import Person

pytestmark = pytest.mark.django_db(transaction=True)

PHONE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def give_authenticator(page: Page) -> Callable[[bool], None]:
    """Gives the browser a device for passkeys (Chrome DevTools Protocol); what is returned says whether its owner's
    finger is recognised."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    device = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": PHONE})["authenticatorId"]

    def recognise(recognised: bool) -> None:
        devtools.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": recognised})

    return recognise


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_passkey_signs_in_confirms_and_is_the_second_step(
    new_person: Callable[..., Person], settings: SettingsWrapper
) -> None:
    settings.REAUTHENTICATE_AFTER = 3600
    person = new_person(viewport=WIDE)
    page = person.page
    give_authenticator(page)
    person.sign_in()
    page.goto("/settings/security/")
    person.look("security-before")

    page.get_by_role("link", name="Add a passkey").click()
    expect(page.get_by_role("button", name="Add the passkey")).to_be_visible()
    person.look("passkey-add")
    page.get_by_label("Name").fill("Anna's phone")
    page.get_by_role("button", name="Add the passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    person.look("recovery-codes")
    page.get_by_role("link", name="Done").click()
    expect(page.get_by_text("Anna's phone")).to_be_visible()
    person.look("security-after")

    sign_out(page)
    person.look("sign-in")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", name="Contacts")).to_be_visible()

    shown_long_ago()
    page.goto("/settings/email-accounts/connect/")
    expect(page.get_by_role("heading", name="Confirm that it is you")).to_be_visible()
    person.look("confirm-password")
    page.get_by_role("link", name="Use a passkey").click()
    expect(page.get_by_role("button", name="Use a passkey")).to_be_visible()
    person.look("confirm-passkey")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Connect a mailbox")).to_be_visible()

    sign_out(page)
    page.get_by_label("Login").fill(person.user.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    person.look("second-step")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Contacts")).to_be_visible()

    page.goto("/settings/security/")
    page.get_by_role("link", name="Manage passkeys").click()
    person.look("passkeys")
    page.get_by_role("link", name="Rename Anna's phone").click()
    person.look("passkey-rename")
    page.get_by_label("Name").fill("Old phone")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Remove Old phone").click()
    person.look("passkey-remove")
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("There are none.")).to_be_visible()
    assert person.complaints == []


def test_a_finger_that_isnt_recognised_leads_nowhere_and_nor_does_that_of_somebody_deactivated(
    new_person: Callable[..., Person],
) -> None:
    person = new_person()
    page = person.page
    recognise = give_authenticator(page)
    person.sign_in()
    page.goto("/accounts/2fa/webauthn/add/")
    page.get_by_role("button", name="Add the passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    sign_out(page)
    recognise(False)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert").filter(has_text="No passkey was used.")).to_be_visible()
    person.look("passkey-not-used")
    page.goto("/contacts/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()

    recognise(True)
    person.user.is_active = False
    person.user.save()
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", name="You can't sign in any more")).to_be_visible()
    page.goto("/contacts/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert person.complaints == []
