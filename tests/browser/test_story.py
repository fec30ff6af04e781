"""The whole story in Chromium, on Dovecot and PostgreSQL: connect, sync, switch to OAuth, go on syncing."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from mailaccounts.models import MailAccount, Message
from tests.browser.person import NARROW, PATIENCE, WIDE
from tests.crm.builders import make_contact
from tests.letters import CONTACT, STRANGER, letter

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.person import Person
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)

COUNTED = '[data-preview="complete"]'


@pytest.fixture
def filled(mailbox: SandboxMailbox) -> SandboxMailbox:
    """Two letters of a contact, one answer to her, two of strangers."""

    def file(
        hours: int, sender: str, to: str, subject: str, text: str, folder: str = "INBOX", pdf: bytes = b""
    ) -> None:
        when = timezone.now() - timedelta(hours=hours)
        mailbox.append(letter(sender, to, subject, text, when=when, attachment=pdf), folder=folder, when=when)

    me = mailbox.address
    file(50, CONTACT, me, "Offer for the racks", "Could you deliver in week 49?")
    file(49, STRANGER, me, "Half price today", "Nobody reads this")
    file(26, me, CONTACT, "Week 49 it is", "We can.", folder="Sent")
    file(3, CONTACT, me, "Thank you", "See you then.", pdf=b"%PDF-1.7")
    file(1, STRANGER, me, "Last chance", "Nor this")
    return mailbox


@pytest.mark.usefixtures("worker")
def test_the_whole_story(new_person: Callable[..., Person], filled: SandboxMailbox) -> None:
    make_contact(CONTACT, name="Maria Anders")
    anna = new_person(viewport=WIDE)
    page = anna.page

    page.goto("/")
    anna.look("sign-in")
    anna.sign_in()
    anna.look("contacts")
    anna.open_settings()
    anna.look("no-accounts")

    page.get_by_role("link", name="Connect a mailbox").click()
    anna.look("connect")
    anna.fill_in_connect_form(filled)
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("heading", name="How far back?")).to_be_visible()
    anna.look("begin")
    page.get_by_role("button", name="Show what would be stored").click()
    expect(page.locator(COUNTED)).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("row", name=f"Maria Anders {CONTACT} 3")).to_be_visible()
    assert not Message.objects.exists()
    anna.look("preview")
    anna.begin()
    expect(page.get_by_role("heading", name=filled.address)).to_be_visible()
    anna.look("connected")
    anna.wait_for_sync(examined=5)
    anna.look("synced")
    expect(anna.figure("Messages stored")).to_have_text("3")

    assert anna.subjects_on_timeline("Maria Anders") == ["Thank you", "Week 49 it is", "Offer for the racks"]
    page.get_by_text("Read the message").last.click()
    expect(page.get_by_text("Could you deliver in week 49?").last).to_be_visible()
    anna.look("timeline")
    page.get_by_role("link", name="Inbox").click()
    anna.look("inbox")

    anna.open_settings()
    anna.look("accounts")
    page.get_by_role("link", name=filled.address).click()
    page.get_by_role("link", name="Switch to OAuth").click()
    expect(page.get_by_text("IMAP.AccessAsUser.All")).to_be_visible()
    anna.look("permissions")
    page.get_by_role("button", name="Continue to Microsoft").click()
    anna.sign_in_at_provider(filled)
    page.locator("button[name=allow]").click()
    expect(page.get_by_role("heading", name="now signs in with Microsoft (OAuth)")).to_be_visible()
    assert re.search(r"/settings/email-accounts/result/$", page.url)  # the code is not in the address
    anna.look("switched")

    filled.append(letter(CONTACT, filled.address, "After the switch", "Does it still work?"))
    page.get_by_role("link", name="Back to the account").click()
    page.get_by_role("button", name="Sync now").click()
    anna.wait_for_sync(examined=6)  # five before, and the new one: nothing was read again
    anna.look("signs-in-with-oauth")
    assert anna.subjects_on_timeline("Maria Anders")[0] == "After the switch"
    assert Message.objects.count() == 4

    assert anna.complaints == []


@pytest.mark.usefixtures("worker")
def test_everything_works_without_javascript(new_person: Callable[..., Person], filled: SandboxMailbox) -> None:
    make_contact(CONTACT, name="Maria Anders")
    anna = new_person(java_script_enabled=False, viewport=WIDE)
    page = anna.page
    anna.sign_in()
    anna.open_settings()
    page.get_by_role("link", name="Connect a mailbox").click()
    anna.fill_in_connect_form(filled)
    page.get_by_role("button", name="Connect").click()
    page.get_by_role("button", name="Show what would be stored").click()
    anna.refresh_until(page.locator(COUNTED), link="Refresh to see how far it is")
    anna.begin()
    expect(page.get_by_role("heading", name=filled.address)).to_be_visible()
    anna.refresh_until(anna.synced, link="Refresh to see how far it is")
    expect(anna.figure("Messages stored")).to_have_text("3")

    page.get_by_role("link", name="Switch to OAuth").click()
    page.get_by_role("button", name="Continue to Microsoft").click()
    anna.sign_in_at_provider(filled)
    page.locator("button[name=allow]").click()
    expect(page.get_by_role("heading", name="now signs in with Microsoft (OAuth)")).to_be_visible()

    assert anna.subjects_on_timeline("Maria Anders") == ["Thank you", "Week 49 it is", "Offer for the racks"]
    page.get_by_text("Read the message").last.click()
    expect(page.get_by_text("Could you deliver in week 49?").last).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_declining_at_the_provider_leaves_the_account_as_it_was(
    new_person: Callable[..., Person], filled: SandboxMailbox
) -> None:
    anna = new_person(viewport=WIDE)
    page = anna.page
    anna.sign_in()
    page.goto("/settings/email-accounts/connect/")
    anna.fill_in_connect_form(filled)
    page.get_by_role("button", name="Connect").click()
    anna.begin()
    page.get_by_role("link", name="Switch to OAuth").click()
    page.get_by_role("button", name="Continue to Microsoft").click()
    anna.sign_in_at_provider(filled)
    page.locator("button[name=decline]").click()
    expect(page.get_by_role("alert")).to_contain_text("Permission was not given at Microsoft.")
    anna.look("declined")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("input[name=username]")).to_be_visible()  # the same question at the provider
    assert MailAccount.objects.get().credentials.get().backend == "password"


def test_a_mistake_is_shown_and_the_password_has_to_be_typed_again(
    new_person: Callable[..., Person], filled: SandboxMailbox
) -> None:
    anna = new_person(viewport=NARROW)
    page = anna.page
    anna.sign_in()
    page.goto("/settings/email-accounts/connect/")
    anna.enter_address(filled.address)
    page.get_by_role("button", name="Password", exact=True).click()
    page.get_by_label("Password").fill("not this one")
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("alert")).to_have_attribute("data-code", "password_rejected")
    expect(page.get_by_label("Password")).to_have_value("")
    expect(page.get_by_label("Email address")).to_have_value(filled.address)
    anna.look("wrong-password")
    page.get_by_role("link", name="Another address").click()
    anna.enter_address("me@nowhere.example")
    expect(page.get_by_role("alert")).to_have_attribute("data-code", "unknown_hosts")
    expect(page.get_by_label("IMAP server")).to_be_visible()
    anna.look("unknown-servers")
