"""Removing contacts, addresses and domains: the mail that only they justified can be erased with them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from crm.models import Company, Contact
from mailaccounts.models import Erasing, Message
from mailaccounts.services.people import forgetting
from tests.app.builders import make_account, make_user
from tests.crm.builders import make_company, make_contact, store_message

if TYPE_CHECKING:
    from django.test import Client

    from mailaccounts.models import MailAccount

pytestmark = pytest.mark.django_db

MARIA = "maria@c.test"
LEFT_BEHIND = "/contacts/left-behind/"


@pytest.fixture
def account() -> MailAccount:
    return make_account()


@pytest.fixture
def anna(client: Client, account: MailAccount) -> Client:
    client.force_login(account.owner)
    return client


def confirmed(page: str) -> dict[str, str]:
    """What the form on the page sends."""
    return dict(re.findall(r'name="(change)" value="(\d+)"', page))


def test_who_removes_a_contact_is_told_how_much_mail_is_left_and_can_erase_it(
    anna: Client, account: MailAccount
) -> None:
    maria = make_contact(MARIA)
    for _ in range(2):
        store_message(account, sender=MARIA, to=account.address)
    assert anna.get(f"/contacts/{maria.pk}/remove/").status_code == 200
    assert Contact.objects.exists()
    asked = anna.post(f"/contacts/{maria.pk}/remove/", follow=True)
    assert asked.redirect_chain[-1][0] == LEFT_BEHIND
    assert 'data-count="2"' in asked.text
    assert not Contact.objects.exists()
    assert Message.objects.count() == 2
    erasing = anna.post(LEFT_BEHIND, confirmed(asked.text), follow=True)
    assert 'data-erasing="running"' in erasing.text
    assert forgetting.go_on(Erasing.objects.get().pk)
    assert not Message.objects.exists()
    assert anna.get(LEFT_BEHIND).status_code == 302


def test_what_a_page_in_another_tab_asks_about_is_not_taken_for_who_was_removed_since(
    anna: Client, account: MailAccount
) -> None:
    asked = []
    for address in (MARIA, "thomas@c.test"):
        store_message(account, sender=address, to=account.address)
        asked.append(anna.post(f"/contacts/{make_contact(address).pk}/remove/", follow=True))
    again = anna.post(LEFT_BEHIND, confirmed(asked[0].text), follow=True)
    assert "You have removed somebody else since" in again.text and "thomas@c.test" in again.text
    assert not Erasing.objects.exists()
    anna.post(LEFT_BEHIND, confirmed(again.text))
    assert Erasing.objects.get().patterns == ["thomas@c.test"]


def test_who_removes_a_contact_without_mail_is_asked_nothing(anna: Client) -> None:
    maria = make_contact(MARIA)
    assert anna.post(f"/contacts/{maria.pk}/remove/").headers["Location"] == "/contacts/"


def test_who_takes_an_address_off_a_contact_is_told_what_is_left_of_its_mail(
    anna: Client, account: MailAccount
) -> None:
    maria = make_contact(MARIA, "old@c.test")
    store_message(account, sender="old@c.test", to=account.address)
    typed = {"name": "Maria", "email": [MARIA], "main": "0"}
    asked = anna.post(f"/contacts/{maria.pk}/edit/", typed, follow=True)
    assert 'data-count="1"' in asked.text
    assert "old@c.test" in asked.text


def test_who_takes_a_domain_off_a_company_or_removes_it_is_told_too(anna: Client, account: MailAccount) -> None:
    company = make_company("c.test", "d.test")
    store_message(account, sender=MARIA, to=account.address)
    asked = anna.post(f"/companies/{company.pk}/edit/", {"name": "Northwind", "domain_names": "d.test"}, follow=True)
    assert 'data-count="1"' in asked.text
    store_message(account, sender="jim@d.test", to=account.address)
    asked = anna.post(f"/companies/{company.pk}/remove/", follow=True)
    assert 'data-count="1"' in asked.text
    assert not Company.objects.exists()


def test_what_somebody_else_removed_is_not_shown_and_not_erased(anna: Client, account: MailAccount) -> None:
    maria = make_contact(MARIA)
    store_message(account, sender=MARIA, to=account.address)
    anna.post(f"/contacts/{maria.pk}/remove/")
    anna.force_login(make_user())
    assert anna.get(LEFT_BEHIND).headers["Location"] == "/contacts/"
    assert anna.post(LEFT_BEHIND).headers["Location"] == "/contacts/"
    assert not Erasing.objects.exists()


@pytest.mark.parametrize("address", ["/contacts/{}/remove/", "/companies/{}/remove/", LEFT_BEHIND])
def test_nobody_who_is_not_signed_in_removes_anything(client: Client, address: str, db: Any) -> None:
    contact = make_contact(MARIA, company=make_company("c.test"))
    for pk in (contact.pk, contact.company_id):
        assert client.post(address.format(pk)).headers["Location"].startswith("/accounts/login/")
    assert Contact.objects.exists()
    assert Company.objects.exists()
