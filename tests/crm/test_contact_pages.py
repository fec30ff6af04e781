"""Contacts: found, added, corrected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.forms import ContactForm
from crm.models import Company, Contact
from tests.app.builders import make_account, make_user
from tests.crm.builders import make_contact, store_message

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import DjangoAssertNumQueries
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db


@pytest.fixture
def signed_in(client: Client) -> Client:
    client.force_login(make_user("anna"))
    return client


def test_the_site_opens_at_the_contacts(signed_in: Client) -> None:
    assert signed_in.get("/", follow=True).redirect_chain == [("/contacts/", 302)]


def test_an_empty_directory_says_what_to_do(signed_in: Client) -> None:
    assert "No contacts yet" in signed_in.get("/contacts/").content.decode()


@pytest.mark.parametrize("path", ["/nowhere/", "/contacts/999/"])
def test_what_is_not_there_is_said_within_the_site(signed_in: Client, path: str) -> None:
    answer = signed_in.get(path)
    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()


def test_strangers_learn_from_a_missing_page_no_more_than_that(client: Client) -> None:
    page = client.get("/nowhere/").content.decode()
    assert "There is nothing here" in page
    assert "Sign out" not in page


@pytest.mark.parametrize("text", ["anders", "MARIA", "customer.test", "north", "maria north"])
def test_search_looks_at_name_address_and_company(signed_in: Client, text: str) -> None:
    maria = make_contact("maria@customer.test")
    maria.company = Company.objects.create(name="Northwind")
    maria.save()
    make_contact("thomas@other.test", name="Thomas Hardy")
    page = signed_in.get("/contacts/", {"q": text}).content.decode()
    assert "Maria Anders" in page
    assert "Thomas Hardy" not in page


def test_a_search_of_a_thousand_words_costs_no_more_than_one_of_ten(signed_in: Client) -> None:
    make_contact(name="Anna")
    with CaptureQueriesContext(connection) as queries:
        page = signed_in.get("/contacts/", {"q": "a " * 2000}).content.decode()
    assert "Anna" in page
    assert sum(len(each["sql"]) for each in queries) < 20_000


def test_a_search_without_result_says_so(signed_in: Client) -> None:
    make_contact()
    assert "Nobody matches" in signed_in.get("/contacts/", {"q": "zzz\x00"}).content.decode()


def test_many_contacts_come_in_pages_and_keep_the_search(signed_in: Client) -> None:
    for number in range(30):
        make_contact(f"c{number:02}@customer.test", name=f"Person {number:02}")
    first, second = (signed_in.get("/contacts/", {"q": "person", "page": page}).content.decode() for page in (1, 2))
    assert "Person 24" in first
    assert "Person 25" not in first
    assert "q=person&amp;page=2" in first
    assert "Person 29" in second


def test_the_list_needs_as_many_queries_for_many_contacts_as_for_one(
    signed_in: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    account = make_account()
    for number in range(20):
        contact = make_contact(f"c{number:02}@customer.test")
        store_message(account, sender=contact.email, to=account.address)
    with django_assert_max_num_queries(9):
        signed_in.get("/contacts/")


def test_a_contact_is_added_with_a_new_company(signed_in: Client) -> None:
    signed_in.post("/contacts/add/", {"name": "Maria", "email": " Maria@Customer.test", "company_name": "Northwind"})
    contact = Contact.objects.get()
    assert (contact.name, contact.email, str(contact.company)) == ("Maria", "maria@customer.test", "Northwind")


def test_a_contact_is_corrected(signed_in: Client) -> None:
    contact = make_contact("maria@customer.test")
    signed_in.post(f"/contacts/{contact.pk}/edit/", {"name": "Mia", "email": contact.email, "company_name": ""})
    contact.refresh_from_db()
    assert contact.name == "Mia"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"name": "", "email": "a@b.test"}, "This field is required."),
        ({"name": "Maria", "email": "nonsense"}, "Enter a valid email address."),
        ({"name": "Maria", "email": "TAKEN@customer.test"}, "There is a contact with this address already."),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(signed_in: Client, data: dict[str, str], sentence: str) -> None:
    make_contact("taken@customer.test")
    page = signed_in.post("/contacts/add/", data).content.decode()
    assert sentence in page
    assert 'aria-invalid="true"' in page
    assert Contact.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_whoever_adds_somebody_a_moment_after_another_is_told_so(
    signed_in: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = ContactForm.is_valid

    def and_another_was_quicker(form: ContactForm) -> bool:
        return judged(form) and make_contact("maria@customer.test") is not None

    monkeypatch.setattr(ContactForm, "is_valid", and_another_was_quicker)
    answer = signed_in.post("/contacts/add/", {"name": "Maria", "email": "Maria+news@customer.test"})
    assert "There is a contact with this address already." in answer.content.decode()
    assert Contact.objects.count() == 1


def test_a_link_to_write_to_a_contact_holds_the_address_and_no_more(signed_in: Client) -> None:
    odd = make_contact("anna?bcc=eve%40evil.test&x=@customer.test")
    page = signed_in.get(odd.get_absolute_url()).content.decode()
    assert 'href="mailto:anna%3Fbcc%3Deve%2540evil.test%26x%3D@customer.test"' in page


def test_a_contact_whose_mail_is_not_collected_says_why(signed_in: Client, settings: SettingsWrapper) -> None:
    contact = make_contact("maria@us.test")
    assert "isn&#x27;t collected" not in signed_in.get(contact.get_absolute_url()).content.decode()
    settings.CRM_BARRED_DOMAINS = ["us.test"]
    assert "its domain is barred" in signed_in.get(contact.get_absolute_url()).content.decode()


def test_the_inbox_shows_own_mail_and_links_its_contacts(client: Client) -> None:
    account, contact = make_account(), make_contact("maria@customer.test")
    store_message(account, sender=contact.email, to=account.address, subject="The offer")
    client.force_login(account.owner)
    page = client.get("/inbox/").content.decode()
    assert "The offer" in page
    assert f'href="{contact.get_absolute_url()}"' in page


def test_a_contacts_page_has_what_its_messages_say_read_of_those_it_shows_only(client: Client) -> None:
    account, contact = make_account(), make_contact("maria@customer.test")
    store_message(account, sender=contact.email, to=account.address, body_text="We take two hundred.")
    client.force_login(account.owner)
    with CaptureQueriesContext(connection) as queries:
        page = client.get(contact.get_absolute_url()).content.decode()
    assert "We take two hundred." in page
    reading = [each["sql"] for each in queries if "body_text" in each["sql"]]
    assert len(reading) == 1
    assert "crm_timelineentry" not in reading[0]  # sorting a thousand entries would read a thousand texts
