"""How far back: the page in each of its states, and what it says to a wrong answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from mailaccounts.models import MailAccount, Preview
from tests.app.builders import make_account, make_credential
from tests.browser.person import NARROW

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.person import Person

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = [["a.rather.long.name.of.somebody@a-rather-long-domain.customer.test", 1204], ["b@customer.test", 7]]
FAILED = {"ended": "password_rejected", "problem": "The server didn't accept the password. Reconnect the account."}
STATES = {
    "counted": {"ended": "long_enough", "examined": 61_300, "matched": 1_399, "known": 320, "people": PEOPLE},
    "nobody": {"ended": "complete", "examined": 320},
    "failed": FAILED,
    "under-way": {"examined": 1500},
}


def test_every_state_of_a_preview_can_be_read_and_started_from(new_person: Callable[..., Person]) -> None:
    anna = new_person(viewport=NARROW)
    page = anna.page
    account = make_credential(make_account(anna.user, "anna@sandbox.test", begun=False)).account
    anna.sign_in()
    for state, figures in STATES.items():
        Preview.objects.all().delete()
        Preview.objects.create(account=account, asked_at=timezone.now(), **figures)
        page.goto(f"/settings/email-accounts/{account.pk}/begin/")
        expect(page.get_by_role("heading", name="What would be stored of all the mail there is")).to_be_visible()
        anna.look(f"preview-{state}")
    Preview.objects.update(ended="complete")
    expect(page.get_by_text("There is no mail with your contacts.")).to_be_visible()  # by itself
    anna.begin("Since a day of your choice")
    expect(page.get_by_text("Say since which day.")).to_be_visible()
    anna.look("begin-wrong")
    page.get_by_label("Since this day").fill("2024-12-24")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("Mail is brought in, the newest first")).to_be_visible()
    assert str(MailAccount.objects.get().since) == "2024-12-24"
    assert anna.complaints == []
