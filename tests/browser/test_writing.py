"""Drafts, the outbox and an account's part in writing, in the browser: wide, narrow and without scripts."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from mailaccounts.models import Outgoing
from tests.app.builders import make_account, make_credential, make_outgoing
from tests.browser.person import NARROW, WIDE
from tests.crm_process import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailaccounts.models import MailAccount
    from tests.browser.person import Person

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "Offer for the " + "very long " * 12 + "tender"


@pytest.fixture
def somebody(new_person: Callable[..., Person]) -> Callable[..., tuple[Person, MailAccount]]:
    """Signs Anna in, who has a mailbox."""

    def make(**options: Any) -> tuple[Person, MailAccount]:
        anna = new_person(**options)
        account = make_account(anna.user, status="ok", sender_name="Anna Ölmann", signature="Anna\nOffice")
        make_credential(account)
        anna.sign_in()
        return anna, account

    return make


def outbox_of(account: MailAccount) -> None:
    """A message in each state."""
    now = timezone.now()
    post: dict[str, Any] = {"raw": b"x", "queued_at": now}
    refused = {"code": "recipients_refused", "message": "1 of 2 recipients can't be reached: nobody@c.test."}
    for columns in (
        {**post, "state": "queued"},
        {
            **post,
            "state": "queued",
            "failures": 2,
            "next_at": now + timedelta(hours=1),
            "message": "smtp.test is busy.",
        },
        {**post, "state": "uncertain", "code": "delivery_uncertain", "message": "The connection broke."},
        {"state": "failed", "queued_at": now, "code": "message_refused", "message": "smtp.test refused the message."},
        {"state": "sent", "queued_at": now, "sent_at": now, "filing": "done", **refused},
        {"state": "sent", "queued_at": now, "sent_at": now, "filing": "failed"},
    ):
        message = make_outgoing(account, subject=LONG, **columns)
        message.recipients.create(role="to", position=0, address="maria@customer.test", name="Maria Anders")


def test_a_message_is_kept_as_it_is_typed_and_every_state_of_it_is_shown(
    somebody: Callable[..., tuple[Person, MailAccount]],
) -> None:
    anna, account = somebody(viewport=WIDE)
    page = anna.page
    page.goto("/mail/outbox/")
    expect(page.get_by_text("Nothing sent from here yet")).to_be_visible()
    page.get_by_role("link", name="Drafts").click()
    expect(page.get_by_text("No drafts")).to_be_visible()
    anna.look("drafts-empty")

    page.get_by_role("link", name="New message").click()
    page.get_by_label("To", exact=True).press_sequentially("maria@customer.test")
    page.get_by_label("Subject").press_sequentially(LONG)
    wait_until(lambda: Outgoing.objects.filter(subject=LONG).exists(), what="the whole subject is kept")
    expect(page.get_by_text("Saved at")).to_be_visible()
    expect(page).to_have_url(re.compile("/mail/drafts/"))
    page.reload()
    expect(page.get_by_label("Subject")).to_have_value(LONG)
    anna.look("draft")
    page.get_by_label("To", exact=True).fill("no address")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("[data-code=invalid_input]")).to_be_visible()
    anna.look("draft-refused")
    assert Outgoing.objects.count() == 1
    page.get_by_role("link", name="Drafts").click()
    anna.look("drafts")

    page.goto(f"/mail/drafts/{Outgoing.objects.get().pk}/")
    cookies = anna.page.context.cookies()
    anna.page.context.clear_cookies(name="sessionid")
    page.get_by_label("Subject").press_sequentially("!")
    expect(page.get_by_role("status").get_by_text("Not saved")).to_be_visible()
    expect(page.get_by_label("Subject")).to_have_value(f"!{LONG}")
    anna.page.context.add_cookies(cookies)  # type: ignore[arg-type]  # as they came

    outbox_of(account)
    page.goto("/mail/outbox/")
    expect(page.locator("[data-outgoing]")).to_have_count(6)
    expect(page.locator("[data-undecided]")).to_contain_text("3")
    anna.look("outbox")
    page.goto(f"/settings/email-accounts/{account.pk}/writing/")
    account.aliases.create(address="sales@example.test")
    page.reload()
    anna.look("writing")
    assert anna.complaints == []


def test_a_message_is_written_with_the_keyboard_alone_and_without_scripts(
    somebody: Callable[..., tuple[Person, MailAccount]],
) -> None:
    anna, _ = somebody(viewport=NARROW, java_script_enabled=False)
    page = anna.page
    page.goto("/mail/new/")
    page.get_by_label("To", exact=True).focus()
    page.keyboard.type("maria@customer.test")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The draft is saved.")).to_be_visible()
    page.get_by_label("Message", exact=True).focus()
    page.keyboard.press("Control+Home")
    page.keyboard.type("Dear Maria")
    page.get_by_role("button", name="Send", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.locator('[data-state="queued"]')).to_be_visible()
    assert Outgoing.objects.get().body_text == "Dear Maria\n\n-- \nAnna\nOffice"
    page.get_by_role("button", name="Take back").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("To", exact=True)).to_have_value("maria@customer.test")
    anna.look("draft-without-scripts", judge=False)
    assert anna.complaints == []
