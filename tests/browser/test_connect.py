"""Connecting a mailbox at its provider: address, one click, done; wide, narrow, and without JavaScript."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from mailaccounts.models import Grant, MailAccount
from tests.browser.person import NARROW, WIDE
from tests.sandbox_fixtures import SandboxMailbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.person import Person

pytestmark = pytest.mark.django_db(transaction=True)
CONNECT = "/settings/email-accounts/connect/"


def go_to_provider(person: Person, mailbox: SandboxMailbox, provider: str, *, picture: str = "") -> None:
    """Both steps, up to the provider's own pages."""
    person.sign_in()
    person.page.goto(CONNECT)
    person.enter_address(mailbox.address)
    button = person.page.get_by_role("button", name=f"Continue to {provider}")
    expect(button).to_be_visible()
    if picture:
        person.look(picture)
    button.click()


@pytest.mark.usefixtures("every_provider")
@pytest.mark.parametrize(
    ("domain", "provider", "viewport", "scripts"),
    [
        ("sandbox.test", "Microsoft", WIDE, True),
        ("google.test", "Google", NARROW, True),
        ("oidc.test", "Sandbox", WIDE, False),
    ],
    ids=["microsoft", "google", "oidc"],
)
def test_from_the_address_to_a_connected_mailbox(
    new_person: Callable[..., Person],
    new_mailbox: Callable[..., SandboxMailbox],
    domain: str,
    provider: str,
    viewport: dict[str, int],
    scripts: bool,
) -> None:
    mailbox = new_mailbox(domain=domain)
    person = new_person(viewport=viewport, java_script_enabled=scripts)
    page = person.page
    go_to_provider(person, mailbox, provider, picture=f"one-click-{provider}" if scripts else "")
    person.sign_in_at_provider(mailbox)
    page.locator("button[name=allow]").click()
    expect(page.get_by_role("heading", name=f"{mailbox.address} is connected")).to_be_visible()
    if scripts:
        person.look(f"connected-{provider}")
    page.get_by_role("link", name="Say how far back").click()
    person.begin()
    expect(page.get_by_role("heading", name=mailbox.address)).to_be_visible()
    assert Grant.objects.get().signed_in_as == mailbox.address
    assert person.complaints == []


@pytest.mark.usefixtures("world")
def test_a_shared_mailbox_is_opened_once_that_is_said(
    new_person: Callable[..., Person], new_mailbox: Callable[..., SandboxMailbox]
) -> None:
    office, somebody = new_mailbox(), new_mailbox()
    anna = SandboxMailbox(
        sandbox=office.sandbox, user=office.sandbox.add_user(replace(somebody.user, shared=(office.address,)))
    )
    person = new_person(viewport=NARROW)
    page = person.page
    go_to_provider(person, office, "Microsoft")
    person.sign_in_at_provider(anna)
    page.locator("button[name=allow]").click()
    expect(page.get_by_role("alert")).to_contain_text(f"as {anna.address}, but the mailbox is {office.address}.")
    person.look("another-address")
    page.get_by_role("button", name="Continue as a shared mailbox").click()
    person.sign_in_at_provider(anna)
    page.locator("button[name=allow]").click()
    expect(page.get_by_text(f"The mailbox that is opened, and sent from, is {office.address}.")).to_be_visible()
    person.look("shared")
    page.get_by_role("link", name="See the account").click()
    expect(page.get_by_text("Shared mailbox")).to_be_visible()
    person.look("shared-account")
    assert person.complaints == []


@pytest.mark.usefixtures("world")
def test_a_mailbox_that_is_only_read_is_allowed_to_send_later(
    new_person: Callable[..., Person], mailbox: SandboxMailbox
) -> None:
    person = new_person(viewport=WIDE)
    page = person.page
    person.sign_in()
    page.goto(CONNECT)
    person.enter_address(mailbox.address)
    page.get_by_label("Only read mail").check()
    page.get_by_role("button", name="Continue to Microsoft").click()
    person.sign_in_at_provider(mailbox)
    page.locator("button[name=allow]").click()
    expect(page.get_by_text("It only reads: permission to send wasn't asked for.")).to_be_visible()
    page.get_by_role("link", name="See the account").click()
    person.look("only-reads")
    page.get_by_role("link", name="Allow sending").click()
    expect(page.get_by_text("Send mail as you, when you answer from the CRM.")).to_be_visible()
    person.look("allow-sending")
    page.get_by_role("button", name="Continue to Microsoft").click()
    person.sign_in_at_provider(mailbox)
    page.locator("button[name=allow]").click()
    expect(page.get_by_role("heading", name=f"{mailbox.address} can send now")).to_be_visible()
    person.look("may-send")
    assert MailAccount.objects.get().smtp
    page.get_by_role("link", name="Back to the account").click()
    page.get_by_role("link", name="Reconnect").click()
    expect(page.get_by_role("button", name="Continue to Microsoft")).to_be_visible()
    person.look("reconnect")
    assert person.complaints == []


@pytest.mark.usefixtures("world")
def test_what_the_page_says_of_other_ways(new_person: Callable[..., Person]) -> None:
    """Nobody is reached here: what is known of these providers is enough."""
    person = new_person(viewport=NARROW)
    page = person.page
    person.sign_in()
    page.goto(CONNECT)
    person.enter_address("me@gmail.com")
    expect(page.get_by_text("which this installation isn't registered for yet")).to_be_visible()
    expect(page.get_by_role("link", name="Make an app password at Google")).to_be_visible()
    person.look("app-password-instead")
    page.get_by_role("button", name="Password", exact=True).click()
    expect(page.get_by_text("Google ended passwords on 1 May 2025.")).to_be_visible()
    person.look("password-ended")
    expect(page.get_by_label("Email address")).not_to_be_editable()
    page.get_by_role("link", name="Another address").click()
    person.enter_address("me@outlook.com")
    expect(page.get_by_role("button", name="Continue to Microsoft")).to_be_visible()
    assert person.complaints == []
