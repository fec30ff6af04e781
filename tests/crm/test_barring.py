"""Barring addresses and domains: after a confirmation that shows the count, what was stored for them is erased."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission

from crm import barring, selectors
from crm.directory import known
from crm.models import Barred
from mailaccounts.models import DirectoryChange, Erasing, Message
from mailaccounts.services.people import directory, forgetting
from mailaccounts.services.people.justified import Unjustified
from tests.app.builders import make_account, make_user
from tests.crm.builders import make_company, make_contact, store_message

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db

MARIA = "maria@c.test"
PAGE = "/settings/barred/"


@pytest.fixture
def boss() -> Any:
    user = make_user("boss")
    user.is_staff = True
    user.save()
    user.user_permissions.add(Permission.objects.get(codename="add_barred"))
    return user


@pytest.mark.parametrize("pattern", [MARIA, "@c.test", "@test"])
def test_who_is_barred_is_never_known(pattern: str, django_assert_num_queries: Any) -> None:
    make_contact(MARIA, "thomas@other.example")
    make_company("c.test")
    Barred.objects.create(pattern=pattern)
    with django_assert_num_queries(1):
        assert set(known([MARIA, "Maria+x@C.test", "thomas@other.example"])) == {"thomas@other.example"}


def test_a_domain_bars_those_below_it_and_no_others() -> None:
    make_contact("a@eu.c.test", "b@xc.test")
    Barred.objects.create(pattern="@c.test")
    assert set(known(["a@eu.c.test", "b@xc.test"])) == {"b@xc.test"}


def test_counting_what_barring_would_erase_changes_nothing() -> None:
    account = make_account()
    make_contact(MARIA)
    store_message(account, sender=MARIA, to=account.address)
    assert barring.would_erase("@c.test") == Unjustified(messages=1, conversations=1)
    assert not Barred.objects.exists()
    assert set(known([MARIA])) == {MARIA}


def test_staff_see_the_count_before_anything_is_barred_and_erased(client: Client, boss: Any) -> None:
    account = make_account()
    maria, thomas = make_contact(MARIA), make_contact("thomas@other.test")
    store_message(account, sender=MARIA, to=account.address)
    both = store_message(account, sender=MARIA, to="thomas@other.test")
    client.force_login(boss)
    asked = client.post(PAGE, {"pattern": "C.test"})
    assert 'data-count="1"' in asked.text
    assert not Barred.objects.exists()
    done = client.post(PAGE, {"pattern": "c.test", "confirmed": "1"}, follow=True)
    assert 'data-erasing="running"' in done.text
    assert forgetting.go_on(Erasing.objects.get().pk)
    assert directory.retell(DirectoryChange.objects.get().pk)
    assert list(Message.objects.all()) == [both]
    assert not selectors.timeline(maria, user=account.owner).exists()
    assert selectors.timeline(thomas, user=account.owner).count() == 1
    page = client.get(PAGE).text
    assert "By boss" in page
    assert "it, or its domain, is barred" in client.get(f"/contacts/{maria.pk}/").text


def test_what_is_barred_no_more_is_looked_for_again(client: Client, boss: Any) -> None:
    maria = make_contact(MARIA)
    barring.bar(MARIA, by=boss)
    client.force_login(boss)
    client.post(f"{PAGE}{Barred.objects.get().pk}/lift/")
    assert set(known([MARIA])) == {MARIA}
    assert DirectoryChange.objects.filter(added=True, patterns=[MARIA]).count() == 1
    assert "isn't collected" not in client.get(f"/contacts/{maria.pk}/").text


@pytest.mark.parametrize("typed", ["", "nonsense", "a@", "gmail.com", "@", "a b@c.test", "c\r\n.test"])
def test_what_cannot_be_barred_gets_a_sentence(client: Client, boss: Any, typed: str) -> None:
    client.force_login(boss)
    page = client.post(PAGE, {"pattern": typed, "confirmed": "1"})
    assert page.status_code == 200
    assert "invalid-feedback" in page.text
    assert not Barred.objects.exists()


def test_nobody_else_finds_the_page(client: Client) -> None:
    barred = Barred.objects.create(pattern=MARIA)
    clerk = make_user()
    clerk.user_permissions.add(Permission.objects.get(codename="add_barred"))
    for user in (make_user(), clerk):
        client.force_login(user)
        assert client.get(PAGE).status_code == 404
        assert client.post(f"{PAGE}{barred.pk}/lift/").status_code == 404
    assert Barred.objects.exists()
