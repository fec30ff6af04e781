"""Which addresses count as contacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from crm.hooks import CrmHooks
from tests.app.builders import make_account, make_user
from tests.crm.builders import make_contact

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db


def known(*addresses: str) -> set[str]:
    return CrmHooks().known_addresses(make_account(), addresses)


def test_contacts_are_known_and_strangers_are_not() -> None:
    make_contact("maria@customer.test")
    assert known("maria@customer.test", "stranger@elsewhere.test") == {"maria@customer.test"}


def test_one_query_answers_for_a_whole_batch(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    account = make_account()
    for number in range(5):
        make_contact(f"c{number}@customer.test")
    addresses = [f"c{number}@customer.test" for number in range(500)]
    with django_assert_num_queries(1):
        assert len(CrmHooks().known_addresses(account, addresses)) == 5


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
