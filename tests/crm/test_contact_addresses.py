"""A contact's addresses: added, removed, and which one is the main one."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from crm.contacts import save_contact
from crm.models import Contact, ContactAddress
from tests.app.builders import make_user
from tests.crm.builders import make_company, make_contact

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def signed_in(client: Client) -> Client:
    user = make_user("anna")
    user.is_staff = user.is_superuser = True
    user.save()
    client.force_login(user)
    return client


def addresses(contact: Contact) -> list[str]:
    return [each.address for each in contact.addresses.all()]


def rows(page: Any) -> list[str]:
    return [html.unescape(each) for each in re.findall(r'name="email" value="([^"]*)"', page.content.decode())]


def test_the_chosen_address_is_the_main_one(signed_in: Client) -> None:
    typed = {"name": "Maria", "email": ["a@c.test", "", " B@C.test"], "main": "2"}
    signed_in.post("/contacts/add/", typed)
    maria = Contact.objects.get()
    assert addresses(maria) == ["b@c.test", "a@c.test"]
    assert maria.email == "b@c.test"


def test_addresses_are_changed_and_those_that_stay_keep_their_row(signed_in: Client) -> None:
    maria = make_contact("a@c.test", "b@c.test", "c@c.test")
    kept = maria.addresses.get(address="b@c.test").pk
    signed_in.post(maria.get_absolute_url() + "edit/", {"name": "M", "email": ["b+x@c.test", "d@c.test"], "main": "1"})
    assert addresses(maria) == ["d@c.test", "b+x@c.test"]
    assert maria.addresses.get(address="b+x@c.test").pk == kept


def test_a_line_comes_and_goes_without_anything_being_saved(signed_in: Client) -> None:
    maria = make_contact("a@c.test", "b@c.test")
    path = maria.get_absolute_url() + "edit/"
    assert rows(signed_in.get(path)) == ["a@c.test", "b@c.test"]
    typed = {"name": "Maria & Co", "company_name": "North", "email": ["a@c.test", "b@"], "main": "1"}
    more = signed_in.post(path, {**typed, "more": "1"})
    assert rows(more) == ["a@c.test", "b@", ""]
    assert "Maria &amp; Co" in more.content.decode()
    assert "North" in more.content.decode()
    assert "valid email" not in more.content.decode()
    fewer = signed_in.post(path, {**typed, "remove": "0"})
    assert rows(fewer) == ["b@"]
    assert rows(signed_in.post(path, {**typed, "email": "a@c.test", "remove": "0"})) == [""]
    assert addresses(maria) == ["a@c.test", "b@c.test"]


@pytest.mark.parametrize(
    ("email", "sentence"),
    [
        (["", " "], "This field is required."),
        (["a@c.test", "nonsense"], "Enter a valid email address."),
        (["a@c.test", "Taken+tag@C.test"], "There is a contact with this address already."),
        (["a@c.test", "a+b@c.test"], "This is the same address as another one here."),
        (["a@c.test", "a\0@c.test"], "Enter a valid email address."),
    ],
)
def test_what_is_wrong_is_said_beside_the_line(signed_in: Client, email: list[str], sentence: str) -> None:
    make_contact("taken@c.test")
    page = signed_in.post("/contacts/add/", {"name": "Maria", "email": email})
    assert sentence in page.content.decode()
    assert 'aria-invalid="true"' in page.content.decode()
    assert Contact.objects.count() == 1


def test_thousands_of_lines_are_no_trouble(signed_in: Client) -> None:
    page = signed_in.post("/contacts/add/", {"name": "Maria", "email": ["x"] * 500, "main": "x", "more": "1"})
    assert len(rows(page)) == 51


def test_search_finds_a_contact_once_by_any_address(signed_in: Client) -> None:
    make_contact("a@c.test", "b@home.test", name="Maria")
    for text in ("home.test", ".test"):
        assert signed_in.get("/contacts/", {"q": text}).content.decode().count(">Maria</a>") == 1


def test_every_address_is_on_the_contacts_page(signed_in: Client) -> None:
    page = signed_in.get(make_contact("a@c.test", "b@c.test").get_absolute_url()).content.decode()
    assert 'href="mailto:a@c.test"' in page
    assert 'href="mailto:b@c.test"' in page


def test_one_address_is_one_contacts_and_one_is_the_main_one() -> None:
    maria = make_contact("a@c.test", "b@c.test")
    assert [each.is_primary for each in maria.addresses.all()] == [True, False]
    with pytest.raises(IntegrityError), transaction.atomic():
        ContactAddress.objects.bulk_create([ContactAddress(contact=maria, address="c@c.test", is_primary=True)])
    with pytest.raises(IntegrityError), transaction.atomic():
        make_contact("A+tag@c.test")


def test_saving_a_contact_by_addresses_of_two_people_is_refused() -> None:
    make_contact("a@c.test", name="Maria")
    make_contact("b@c.test", name="Thomas")
    with pytest.raises(ValidationError, match="different contacts: Maria, Thomas"):
        save_contact(name="Maria", addresses=["a@c.test", "b@c.test"])


def inline(prefix: str, *names: dict[str, str], initial: int = 0) -> dict[str, str]:
    form = {f"{prefix}-TOTAL_FORMS": str(len(names)), f"{prefix}-INITIAL_FORMS": str(initial)}
    return form | {f"{prefix}-{i}-{key}": value for i, row in enumerate(names) for key, value in row.items()}


def test_the_admin_takes_several_addresses_and_moves_the_main_one(signed_in: Client) -> None:
    first, second = {"address": "a@c.test"}, {"address": "b@c.test", "is_primary": "on"}
    signed_in.post("/admin/crm/contact/add/", {"name": "Maria", **inline("addresses", first, second)})
    maria = Contact.objects.get()
    assert addresses(maria) == ["b@c.test", "a@c.test"]
    assert b"b@c.test" in signed_in.get("/admin/crm/contact/").content


@pytest.mark.parametrize("other", ["a+x@c.test", "taken@c.test", "nonsense"])
def test_the_admin_refuses_what_the_page_does(signed_in: Client, other: str) -> None:
    make_contact("taken@c.test")
    typed = {"name": "Maria", **inline("addresses", {"address": "a@c.test"}, {"address": other})}
    assert b"errorlist" in signed_in.post("/admin/crm/contact/add/", typed).content
    assert Contact.objects.count() == 1


def test_the_admin_refuses_a_domain_that_is_there_twice_or_a_providers(signed_in: Client) -> None:
    company = make_company()
    path = f"/admin/crm/company/{company.pk}/change/"
    for second in ("BÜCHER.example", "gmail.com"):
        typed = {"name": "N", **inline("domains", {"domain": "xn--bcher-kva.example"}, {"domain": second})}
        assert b"errorlist" in signed_in.post(path, typed).content
    assert company.domains.count() == 0
