"""A contact is added, and earlier mail with them found; they are removed, and what is left of it erased; their domain
is barred: in the browser, with a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from mailaccounts.models import Message
from mailaccounts.services.syncing.sync import sync_account
from tests.app.builders import make_account, make_credential
from tests.browser.person import WIDE
from tests.letters import CONTACT, STRANGER, letter

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailaccounts.testing.sandbox import Sandbox
    from tests.browser.person import Person
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_contact_comes_with_earlier_mail_and_goes_with_it(
    world: Sandbox, mailbox: SandboxMailbox, new_person: Callable[..., Person], request: pytest.FixtureRequest
) -> None:
    boss = new_person(viewport=WIDE)
    boss.user.is_staff = boss.user.is_superuser = True
    boss.user.save()
    account = make_account(boss.user, mailbox.address, imap_host=world.imap.host, imap_port=world.imap.port)
    make_credential(account, mailbox.password)
    for sender, subject in ((CONTACT, "Your offer"), ("jim@customer.test", "Invoice 7"), (STRANGER, "Cheap pills")):
        mailbox.append(letter(sender, mailbox.address, subject=subject))
    assert sync_account(account.pk).finished
    assert not Message.objects.exists()

    boss.sign_in()
    page = boss.page
    page.get_by_role("link", name="Add a contact").first.click()
    page.get_by_label("Name").fill("Maria Anders")
    page.get_by_label("Email address", exact=True).fill(CONTACT)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Looking for earlier mail with Maria Anders: 0 of 1 mailbox done.")).to_be_visible()
    boss.look("looking-for-earlier-mail")
    request.getfixturevalue("worker")
    expect(page.get_by_role("heading", name="Your offer")).to_be_visible()
    expect(page.get_by_text("Looking for earlier mail")).to_have_count(0)
    assert list(Message.objects.values_list("subject", flat=True)) == ["Your offer"]

    page.get_by_role("link", name="Personal data").click()
    expect(page.get_by_role("cell", name="Your offer")).to_be_visible()
    boss.look("personal-data")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as JSON").click()
    assert download.value.suggested_filename == "personal-data.json"
    page.get_by_role("button", name="Erase…").click()
    boss.look("erase-person")
    page.goto(f"/settings/email-accounts/{account.pk}/")
    page.get_by_role("link", name="Keeping").click()
    page.get_by_label("Keep mail for so many days").fill("0")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("greater than or equal to 1")).to_be_visible()
    boss.look("keeping")
    page.get_by_role("link", name="Contacts").first.click()
    page.get_by_role("link", name="Maria Anders").click()

    page.get_by_role("link", name="Edit").click()
    page.get_by_role("link", name="Remove", exact=True).click()
    boss.look("remove")
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("1 stored message")).to_be_visible()
    boss.look("left-behind")
    page.get_by_role("button", name="Erase").click()
    expect(page.locator('[data-erasing="done"]')).to_contain_text("1 message, done by")
    boss.look("erased")
    assert not Message.objects.exists()

    boss.open_settings()
    page.get_by_role("link", name="Barred").click()
    page.get_by_label("Address or domain").fill("gmail.com")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("bar one address at a time")).to_be_visible()
    boss.look("barred-error")
    page.get_by_label("Address or domain").fill("customer.test")
    page.get_by_role("button", name="Continue").click()
    boss.look("bar")
    page.get_by_role("button", name="Bar", exact=True).click()
    expect(page.locator('[data-erasing="done"]')).to_be_visible()
    page.get_by_role("link", name="Barred").click()
    expect(page.get_by_role("button", name="Bar customer.test no more")).to_be_visible()
    boss.look("barred")
    assert boss.complaints == []
