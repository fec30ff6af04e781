"""The inbox in a browser, with a mailbox behind it: finding mail, doing something with it, undoing it, new mail."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from mailaccounts import tasks
from mailaccounts.services.syncing.sync import sync_account
from tests.app.builders import make_account, make_credential
from tests.browser.person import WIDE
from tests.crm.builders import make_contact
from tests.integration.mailboxes import imap_of
from tests.letters import CONTACT, letter

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailaccounts.testing.sandbox import Sandbox
    from tests.browser.person import Person
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)

OFFER = "Two hundred chairs, delivered by Friday, for the price that we spoke about."


def test_mail_is_found_read_moved_and_moved_back_and_appears_by_itself(
    new_person: Callable[..., Person], world: Sandbox, mailbox: SandboxMailbox
) -> None:
    make_contact(CONTACT)
    anna = new_person(viewport=WIDE)
    account = make_account(
        anna.user, mailbox.address, status="ok", imap_host=world.imap.host, imap_port=world.imap.port
    )
    make_credential(account, mailbox.password)
    with imap_of(mailbox) as imap:
        imap.create("Projects")
    now = timezone.now()
    mailbox.append(letter(subject="Lunch on Friday", message_id="1@x"), when=now - timedelta(hours=2))
    mailbox.append(
        letter(subject="The offer", text=OFFER, message_id="2@x", attachment=b"%PDF"), when=now - timedelta(hours=1)
    )
    mailbox.append(letter(subject="Re: Lunch on Friday", message_id="3@x", answers=["1@x"]), when=now)
    sync_account(account.pk)

    anna.sign_in()
    page = anna.page
    page.clock.install()
    page.get_by_role("link", name="Inbox").click()
    rows = page.get_by_role("list", name="Conversations").get_by_role("listitem")
    expect(rows).to_have_count(2)
    anna.look("inbox")

    page.get_by_label("Search mail").fill("chairs")
    page.get_by_label("Search mail").press("Enter")
    expect(page.locator("mark")).to_have_text(["chairs"])
    anna.look("inbox-search")
    page.get_by_role("link", name="Reset").click()

    page.get_by_role("link", name="The offer").click()
    expect(page.get_by_role("button", name="Mark as unread")).to_be_visible()  # for it was opened
    page.get_by_role("button", name="Flag", exact=True).click()
    expect(page.get_by_role("button", name="Take the flag off")).to_be_visible()
    anna.look("conversation")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Inbox").click()
    expect(page.locator(".is-unread")).to_have_count(1)
    page.get_by_label("All", exact=True).check()
    page.get_by_role("button", name="Read", exact=True).click()
    expect(page.get_by_text("2 messages marked as read.")).to_be_visible()
    expect(page.locator(".is-unread")).to_have_count(0)
    page.get_by_label("Choose The offer").check()
    page.get_by_label("Folder to move to").select_option("Projects")
    page.get_by_role("button", name="Move", exact=True).click()
    expect(page.get_by_text("1 message moved to Projects.")).to_be_visible()
    expect(rows).to_have_count(1)
    tasks.act(account.pk)
    assert mailbox.message_ids()["Projects"] == ["<2@x>"]
    anna.look("inbox-done")
    page.get_by_role("button", name="Undo").click()
    expect(rows).to_have_count(2)
    tasks.act(account.pk)
    assert "<2@x>" in mailbox.message_ids()["INBOX"]

    page.get_by_label("Choose The offer").check()
    mailbox.append(letter(subject="Something new", message_id="4@x"), when=now + timedelta(minutes=1))
    sync_account(account.pk)
    page.clock.fast_forward("00:30")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("Something new")
    expect(page.get_by_label("Choose The offer")).to_be_checked()

    with imap_of(mailbox) as imap:
        imap.delete("Projects")
    page.get_by_label("Folder to move to").select_option("Projects")
    page.get_by_role("button", name="Move", exact=True).click()
    expect(rows).to_have_count(2)
    tasks.act(account.pk)
    page.clock.fast_forward("00:30")
    expect(page.get_by_role("alert")).to_contain_text("1 message couldn't be moved to Projects.")
    expect(rows).to_have_count(3)
    expect(page.get_by_text("1 message moved to Projects.")).to_have_count(0)
    anna.look("inbox-refused")
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    assert anna.complaints == []
