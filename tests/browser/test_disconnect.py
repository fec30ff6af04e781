"""Disconnecting in the browser: keep, come back, erase, and the receipts; wide and narrow, without JavaScript too."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from mailaccounts.models import Credential, Grant, MailAccount, Message
from mailaccounts.queue import Job, enqueue
from mailaccounts.selectors import receipts
from mailaccounts.services.connecting.disconnect import Reason, cut
from mailaccounts.services.syncing.sync import sync_account
from tests.app.builders import make_account, make_credential
from tests.browser.person import WIDE
from tests.crm.builders import make_contact, store_message
from tests.letters import CONTACT, letter
from tests.sandbox_crm import make_real_grant

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.person import Person
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)

OPTIONS = [{"width": 390}, {"width": 1280, "scripts": False}]


@pytest.fixture(params=OPTIONS, ids=str)
def anna(request: pytest.FixtureRequest, new_person: Callable[..., Person], monkeypatch: pytest.MonkeyPatch) -> Person:
    scripts = request.param.get("scripts", True)
    anna = new_person(viewport={"width": request.param["width"], "height": 860}, java_script_enabled=scripts)
    if not scripts:  # axe is one
        monkeypatch.setattr(anna, "look", partial(anna.look, judge=False))
    return anna


@pytest.fixture
def account(anna: Person, mailbox: SandboxMailbox) -> MailAccount:
    """Anna's mailbox with OAuth, three letters of a contact synced."""
    sandbox = mailbox.sandbox
    account = make_account(
        anna.user, mailbox.address, imap_host=sandbox.imap.host, imap_port=sandbox.imap.port, smtp_host=""
    )
    make_credential(account, grant=make_real_grant(mailbox), backend="xoauth2")
    make_contact(CONTACT)
    for subject in ("Offer for the racks", "Week 49 it is", "Thank you"):
        mailbox.append(letter(subject=subject))
    assert sync_account(account.pk).stored == 3
    return account


def test_keeping_the_mail_and_erasing_it_later(anna: Person, account: MailAccount, mailbox: SandboxMailbox) -> None:
    page = anna.page
    anna.sign_in()
    anna.open_settings()
    page.get_by_role("link", name=account.address).click()
    page.get_by_role("link", name="Disconnect").click()
    expect(page.get_by_text("What becomes of the 3 messages that we stored?")).to_be_visible()
    expect(page.get_by_label("Keep them")).to_be_checked()
    anna.look("disconnect")
    page.get_by_role("button", name="Disconnect").click()

    expect(page.get_by_role("heading", name=f"{account.address} was disconnected")).to_be_visible()
    expect(page.locator("[data-outcome=revoked]")).to_contain_text("Microsoft was told")
    expect(page.locator("[data-fact=mail]")).to_have_text("3 messages kept")
    anna.look("receipt-kept")
    assert not (Credential.objects.exists() or Grant.objects.exists())
    assert mailbox.sandbox.idp.faults.revoke(mailbox.address) == 0

    page.get_by_role("link", name="To the mailbox").click()
    expect(page.get_by_text("This mailbox is disconnected")).to_be_visible()
    expect(page.get_by_role("link", name="Reconnect")).to_be_visible()
    expect(page.get_by_role("button", name="Sync now")).to_have_count(0)
    anna.look("disconnected")
    assert len(anna.subjects_on_timeline("Maria Anders")) == 3

    anna.open_settings()
    anna.look("accounts-with-one-disconnected")
    page.get_by_role("link", name=account.address).click()
    page.get_by_role("link", name="Erase its mail").click()
    anna.look("erase")
    page.get_by_role("button", name="Erase").click()
    expect(page.locator("[data-fact=mail]")).to_contain_text("3 messages erased")
    assert not MailAccount.objects.exists()
    assert anna.subjects_on_timeline("Maria Anders") == []

    anna.open_settings()
    expect(page.get_by_text("No mailbox is connected yet")).to_be_visible()
    page.get_by_role("link", name="Receipts of disconnected mailboxes").click()
    expect(page.get_by_role("link", name=account.address)).to_have_count(2)
    anna.look("receipts")
    assert anna.complaints == []


def test_erasing_at_once_and_the_receipt_as_a_file(anna: Person, account: MailAccount) -> None:
    page = anna.page
    anna.sign_in()
    page.goto(f"/settings/email-accounts/{account.pk}/disconnect/")
    page.get_by_label("Erase them").check()
    page.get_by_role("button", name="Disconnect").click()
    expect(page.locator("[data-fact=mail]")).to_contain_text("3 messages erased")
    anna.look("receipt-erased")
    assert not (MailAccount.objects.exists() or Message.objects.exists())
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as JSON").click()
    assert download.value.suggested_filename == f"receipt-{receipts().get().pk}.json"
    assert anna.complaints == []


def test_a_receipt_shows_by_itself_that_the_erasing_is_done(
    new_person: Callable[..., Person], request: pytest.FixtureRequest
) -> None:
    anna = new_person(viewport={"width": 390, "height": 860})
    account = make_credential(make_account(anna.user)).account
    store_message(account, sender=CONTACT, to=account.address)
    anna.sign_in()
    entry = cut(account.pk, reason=Reason.ASKED, actor=anna.user, erase_mail=True)
    assert entry is not None
    anna.page.goto(f"/settings/email-accounts/{account.pk}/")
    expect(anna.page.get_by_text("The stored mail is being erased.")).to_be_visible()
    anna.look("receipt-erasing")
    enqueue(Job.ERASE, account.pk)  # as the next tick would
    request.getfixturevalue("worker")
    expect(anna.page.locator("[data-fact=mail]")).to_contain_text("1 message erased")
    assert anna.complaints == []


def test_a_receipt_says_what_is_left_to_do_by_hand(new_person: Callable[..., Person], mailbox: SandboxMailbox) -> None:
    """The provider is down, and there is a password that only its owner can change; then on paper."""
    anna = new_person(viewport=WIDE)
    account = make_account(anna.user, "anna@gmail.com", imap_host="imap.gmail.com")
    make_credential(account, grant=make_real_grant(mailbox), backend="xoauth2")
    make_credential(account, backend="app_password", state="retired", retired_at=account.created_at)
    mailbox.sandbox.idp.faults.fail(endpoint="revoke", times=-1)
    anna.sign_in()
    anna.page.goto(f"/settings/email-accounts/{account.pk}/disconnect/")
    anna.page.get_by_role("button", name="Disconnect").click()
    expect(anna.page.locator("[data-outcome=pending]")).to_contain_text("has yet to be told")
    expect(anna.page.get_by_role("link", name="https://myaccount.google.com/connections")).to_be_visible()
    expect(anna.page.get_by_role("button", name="Print")).to_be_visible()
    anna.look("receipt-by-hand")
    anna.page.emulate_media(media="print")
    expect(anna.page.get_by_role("button", name="Print")).not_to_be_visible()
    expect(anna.page.get_by_role("link", name="Download as JSON")).not_to_be_visible()
    anna.look("receipt-printed")
    assert anna.complaints == []
