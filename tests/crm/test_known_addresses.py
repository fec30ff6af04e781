"""Which addresses are known, and to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allauth.account.models import EmailAddress
from django.db import connection

from crm import directory
from crm.hooks import CrmHooks
from crm.models import Contact, ContactAddress
from tests.app.builders import make_account, make_user
from tests.crm.builders import make_company, make_contact

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db


def known(*addresses: str) -> set[str]:
    return CrmHooks().known_addresses(make_account(), addresses)


def test_contacts_are_known_and_strangers_are_not() -> None:
    make_contact("maria@customer.test")
    assert known("maria@customer.test", "stranger@elsewhere.test") == {"maria@customer.test"}


@pytest.mark.parametrize("contacts", [10, 5000])
@pytest.mark.parametrize("asked", [1, 500])
def test_one_query_answers_for_any_number_of_contacts_and_addresses(
    django_assert_num_queries: DjangoAssertNumQueries, contacts: int, asked: int
) -> None:
    account = make_account()
    company = make_company("northwind.example")
    people = Contact.objects.bulk_create(Contact(name=f"Person {number}") for number in range(contacts))
    ContactAddress.objects.bulk_create(
        ContactAddress(contact=person, address=f"Person+crm@c{number}.example") for number, person in enumerate(people)
    )
    addresses = [f"person@c{number}.example" for number in range(asked - 1)] + ["anybody@northwind.example"]
    with django_assert_num_queries(1):
        assert len(CrmHooks().known_addresses(account, addresses)) == min(contacts, asked - 1) + 1
    with django_assert_num_queries(1):
        assert directory.known(addresses)["anybody@northwind.example"].company_id == company.pk


def test_the_indexes_answer_for_the_contacts() -> None:
    people = Contact.objects.bulk_create(Contact(name=f"Person {number}") for number in range(5000))
    ContactAddress.objects.bulk_create(
        ContactAddress(contact=person, address=f"a@c{number}.example") for number, person in enumerate(people)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE crm_contactaddress" if connection.vendor == "postgresql" else "ANALYZE")
    asked = [f"a@c{number}.example" for number in range(20)]
    plan = ContactAddress.objects.filter(folded__among=asked).values_list("folded").explain()
    assert "Seq Scan" not in plan
    assert "SCAN crm_contactaddress" not in plan


def test_more_addresses_than_a_query_has_parameters_are_one_question(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    make_contact("a9999@customer.test")
    account = make_account()
    with django_assert_num_queries(1):
        found = CrmHooks().known_addresses(account, {f"a{number}@customer.test" for number in range(10_000)})
    assert found == {"a9999@customer.test"}


def test_every_address_of_a_contact_is_theirs() -> None:
    maria = make_contact("maria@customer.test", "maria@home.test")
    found = directory.known(["maria@customer.test", "maria@home.test", "maria@elsewhere.test"])
    assert {address: whose.contact_id for address, whose in found.items()} == {
        "maria@customer.test": maria.pk,
        "maria@home.test": maria.pk,
    }


@pytest.mark.parametrize(
    ("stored", "seen"),
    [
        ("maria@customer.test", "maria+offers@customer.test"),
        ("maria+crm@customer.test", "maria@customer.test"),
        ("maria@bücher.example", "maria@xn--bcher-kva.example"),
        ("maria@xn--bcher-kva.example", "maria@bücher.example"),
    ],
)
def test_an_address_is_known_however_it_is_written(stored: str, seen: str) -> None:
    make_contact(stored)
    assert known(seen, "other@customer.test") == {seen}


def test_everybody_at_a_companys_domain_is_known_to_it_and_nobody_below_or_beside_it() -> None:
    company = make_company("Bücher.example")
    maria = make_contact("maria@bücher.example", company=company)
    found = directory.known(
        ["anybody@xn--bcher-kva.example", "maria@bücher.example", "a@news.bücher.example", "a@xbücher.example"]
    )
    assert {address: (whose.contact_id, whose.company_id) for address, whose in found.items()} == {
        "anybody@xn--bcher-kva.example": (None, company.pk),
        "maria@bücher.example": (maria.pk, None),
    }


def test_colleagues_at_a_companys_domain_are_not_known(settings: SettingsWrapper) -> None:
    make_company("customer.test")
    colleague = make_user()
    colleague.email = "colleague@customer.test"
    colleague.save()
    EmailAddress.objects.create(user=colleague, email="c@customer.test", verified=True)
    EmailAddress.objects.create(user=colleague, email="claimed@customer.test", verified=False)
    make_account(address="sales@customer.test")
    ours = ("colleague@customer.test", "colleague+x@customer.test", "c@customer.test", "sales@customer.test")
    assert known(*ours, "claimed@customer.test") == {"claimed@customer.test"}
    settings.CRM_BARRED_DOMAINS = ["customer.test"]
    assert known("claimed@customer.test") == set()


@pytest.mark.parametrize(
    ("ours", "seen"),
    [
        ("Anna+CRM@us.example", "anna@us.example"),
        ("anna@us.example", "anna+news@us.example"),
        ("anna@bücher.example", "anna@xn--bcher-kva.example"),
        ("anna@xn--bcher-kva.example", "anna+x@bücher.example"),
    ],
)
def test_a_user_never_counts_however_the_address_is_written(ours: str, seen: str) -> None:
    user = make_user()
    user.email = ours
    user.save()
    make_contact(seen)
    assert known(seen) == set()
    assert directory.own_addresses([seen]) == {seen}


def test_a_barred_domain_is_barred_in_either_spelling(settings: SettingsWrapper) -> None:
    settings.CRM_BARRED_DOMAINS = ["bücher.example"]
    make_contact("maria@xn--bcher-kva.example")
    assert known("maria@xn--bcher-kva.example", "maria@bücher.example") == set()


HALF = "\ud800".encode("punycode").decode()  # of a character: what no database holds
ODD = ["", "@", "a@", "nonsense", "a\0@b.test", "\udc80@b.test", "a@" + "ü" * 500, "'; DROP", f"a@xn--{HALF}.test"]


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_what_is_no_address_is_nobodys(odd: str) -> None:
    make_contact("maria@customer.test")
    assert known(odd, "maria@customer.test") == {"maria@customer.test"}


def test_a_contact_typed_in_capitals_is_found_in_lower_case() -> None:
    make_contact("Maria.Anders@Customer.TEST")
    assert known("maria.anders@customer.test") == {"maria.anders@customer.test"}


def test_a_colleague_never_counts_even_when_added_as_a_contact() -> None:
    colleague = make_user()
    colleague.email = "Colleague@Customer.test"
    colleague.save()
    make_contact("colleague@customer.test")
    assert known("colleague@customer.test") == set()


def test_a_connected_mailbox_never_counts_even_when_added_as_a_contact() -> None:
    make_account(address="Sales@Customer.test")
    make_contact("sales@customer.test")
    assert known("sales@customer.test") == set()


@pytest.mark.parametrize("barred", ["customer.test", "@Customer.Test", "test"])
def test_a_barred_domain_and_those_below_it_never_count(settings: SettingsWrapper, barred: str) -> None:
    settings.CRM_BARRED_DOMAINS = [barred]
    make_contact("maria@customer.test")
    make_contact("maria@eu.customer.test")
    assert known("maria@customer.test", "maria@eu.customer.test") == set()


def test_a_domain_that_only_ends_like_a_barred_one_counts(settings: SettingsWrapper) -> None:
    settings.CRM_BARRED_DOMAINS = ["customer.test"]
    make_contact("maria@other-customer.test")
    assert known("maria@other-customer.test") == {"maria@other-customer.test"}
