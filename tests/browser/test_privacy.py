"""Privacy in the browser: an owner shares a mailbox, hides a message and blocks somebody; a colleague looks, and then
staff with a reason, and the ledger says so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Permission
from playwright.sync_api import expect

from mailaccounts.models import Message, Tally
from tests.app.builders import make_account, make_credential
from tests.crm.builders import make_contact, store_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.person import Person

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_owner_shares_a_mailbox_and_the_ledger_says_who_looked(new_person: Callable[..., Person]) -> None:
    anna, jo = new_person(), new_person("jo", viewport={"width": 390, "height": 844})
    account = make_credential(make_account(anna.user, "anna@us.test", status="ok")).account
    maria = make_contact("maria@customer.test")
    make_contact("nina@private.test", name="Nina")
    for subject in ("An offer", "Between the two of us"):
        store_message(account, sender="maria@customer.test", to="anna@us.test", subject=subject)
    store_message(account, sender="nina@private.test", to="anna@us.test", subject="Dinner")
    Tally.objects.create(account=account, stored=3, again=2, nobody=1_234_567, colleagues=4321, joined=1, bodies=3)
    for person in (anna, jo):
        person.sign_in()
    timeline, settings = f"/contacts/{maria.pk}/", f"/settings/email-accounts/{account.pk}/"

    jo.page.goto(timeline)
    expect(jo.page.get_by_text("No mail with Maria Anders yet")).to_be_visible()

    anna.page.goto(settings)
    anna.page.get_by_role("link", name="Privacy", exact=True).click()
    anna.look("privacy")
    anna.page.get_by_label("Everything").focus()
    anna.page.keyboard.press("Space")
    anna.page.keyboard.press("Enter")
    expect(anna.page.get_by_text("It goes for all mail of this mailbox")).to_be_visible()
    anna.page.goto(timeline)
    anna.look("timeline-of-the-owner")
    anna.page.get_by_role("button", name="Hide from colleagues: Between the two of us").press("Enter")
    expect(anna.page.get_by_text("Colleagues don't see this message any more")).to_be_visible()
    expect(anna.page).to_have_url(re.compile(re.escape(timeline) + "$"))

    jo.page.goto(timeline)
    expect(jo.page.locator(".mail-subject")).to_have_text(["An offer"])
    jo.page.get_by_text("Read the message").click()
    expect(jo.page.get_by_text("Good morning").last).to_be_visible()
    jo.look("timeline-of-a-colleague")

    anna.page.goto(settings)
    anna.page.get_by_role("link", name="Ledger", exact=True).click()
    looks = anna.page.get_by_role("region", name="Table of who looked")
    expect(looks.get_by_role("row").nth(1)).to_contain_text("jo")
    expect(looks.get_by_role("row")).to_have_count(2)
    anna.look("ledger")

    anna.page.goto(f"{settings}privacy/")
    anna.page.get_by_label("Address or domain").fill("nobody")
    anna.page.keyboard.press("Enter")
    expect(anna.page.locator("[aria-invalid=true]")).to_be_visible()
    anna.look("privacy-wrong")
    anna.page.get_by_label("Address or domain").fill("nina@private.test")
    anna.page.keyboard.press("Enter")
    expect(anna.page.get_by_text("1 message in 1 conversation is stored")).to_be_visible()
    anna.look("blocked")
    anna.page.get_by_role("link", name="Keep it").click()
    expect(anna.page.get_by_role("link", name="nina@private.test")).to_be_visible()
    anna.look("privacy-blocked")
    Message.objects.filter(subject="An offer").update(shown="")
    account.visibility = "subject"
    account.save()
    jo.page.goto(timeline)
    expect(jo.page.get_by_text("and not what it says")).to_be_visible()
    jo.look("timeline-subject-only")

    jo.user.is_staff = True
    jo.user.save()
    jo.user.user_permissions.add(*Permission.objects.filter(codename__in=("view_mailaccount", "open_mail")))
    jo.page.goto(f"/admin/mailaccounts/mailaccount/{account.pk}/change/")
    jo.page.get_by_role("link", name="Look at mail…").click()
    jo.page.get_by_label("Reason").fill("Because")
    jo.page.get_by_role("button", name="Open it").click()
    expect(jo.page.locator("[aria-invalid=true]")).to_be_visible()
    jo.look("opening-a-mailbox")
    jo.page.get_by_label("Reason").fill("Anna asks where the invitation to dinner is")
    jo.page.get_by_label("1 hour").focus()
    jo.page.keyboard.press("Space")
    jo.page.get_by_role("button", name="Open it").press("Enter")
    expect(jo.page.get_by_text("You are looking at mail of anna@us.test")).to_be_visible()
    jo.look("opened-mailbox")
    jo.page.get_by_role("link", name="Between the two of us").click()
    expect(jo.page.get_by_text("Good morning").last).to_be_visible()
    jo.look("opened-conversation")

    anna.page.goto(settings)
    expect(anna.page.get_by_text("jo may look at the mail of anna@us.test")).to_be_visible()
    anna.look("account-that-is-looked-at")
    anna.page.get_by_role("link", name="What they looked at").click()
    expect(anna.page.get_by_role("region", name="Table of who opened it")).to_contain_text("invitation to dinner")
    anna.look("ledger-of-an-opened-mailbox")
    jo.page.get_by_role("button", name="End now").press("Enter")
    expect(jo.page.get_by_text("is closed to you again")).to_be_visible()
    assert anna.complaints == jo.complaints == []
