"""Contacts with several addresses and companies with domains, in the browser and without JavaScript."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from crm.models import Contact
from tests.app.builders import make_account
from tests.browser.person import WIDE
from tests.crm.builders import store_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.person import Person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("scripts", [True, False])
def test_a_contact_with_two_addresses_and_a_company_with_a_domain(
    new_person: Callable[..., Person], scripts: bool
) -> None:
    anna = new_person(viewport=WIDE, java_script_enabled=scripts)
    anna.sign_in()  # axe is a script, and can't judge without them
    page = anna.page
    page.get_by_role("link", name="Add a contact").first.click()
    page.get_by_label("Name").fill("Maria Anders")
    page.get_by_label("Email address", exact=True).fill("maria@northwind.test")
    page.get_by_label("Company").fill("Northwind")
    page.get_by_role("button", name="Another address").click()
    page.get_by_role("button", name="Another address").click()
    page.get_by_label("Email address 2").fill("maria@home.test")
    page.get_by_label("Email address 3").fill("nonsense")
    page.get_by_role("radio", name="Main address: 2").check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Enter a valid email address.")).to_be_visible()
    anna.look("contact-form-error", judge=scripts)
    page.get_by_role("button", name="Remove address 3").click()
    anna.look("contact-form", judge=scripts)
    page.get_by_label("Email address 2").press("Enter")  # saves, as in any form, and removes nothing
    expect(page.get_by_role("link", name="maria@northwind.test")).to_be_visible()
    anna.look("contact", judge=scripts)
    assert Contact.objects.get().email == "maria@home.test"

    page.get_by_role("link", name="Northwind", exact=True).click()
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Domains").fill("gmail.com")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("gmail.com is a mail provider's")).to_be_visible()
    anna.look("company-form-error", judge=scripts)
    page.get_by_label("Domains").fill("northwind.test nordwind.test")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Everybody at")).to_contain_text("northwind.test")
    mailbox = make_account(anna.user)
    store_message(mailbox, sender="orders@northwind.test", to=mailbox.address, subject="Your order")
    store_message(mailbox, sender="maria@home.test", to=mailbox.address, subject="Lunch on Friday")
    page.goto(page.url)
    expect(page.get_by_role("heading", name="Your order")).to_be_visible()
    expect(page.get_by_role("heading", name="Lunch on Friday")).to_be_visible()
    anna.look("company", judge=scripts)
    page.get_by_role("link", name="Inbox").click()
    anna.look("inbox", judge=scripts)
    page.get_by_role("link", name="Contacts").first.click()
    anna.look("contacts", judge=scripts)
    assert anna.complaints == []
