"""What is stored about a person: shown to who may handle it, downloaded, and erased for good."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission

from crm import personal_data
from crm.directory import known
from crm.models import Barred, Contact
from mailaccounts.models import AuditEntry, DirectoryChange, Erasing, Message
from mailaccounts.services.people import directory, forgetting
from tests.app.builders import make_account, make_outgoing, make_user
from tests.crm.builders import make_contact, store_message

if TYPE_CHECKING:
    from django.test import Client

    from mailaccounts.models import MailAccount

pytestmark = pytest.mark.django_db

MARIA = "maria@c.test"
PAGE = "/settings/personal-data/"


@pytest.fixture
def officer(client: Client) -> Any:
    user = make_user("officer")
    user.user_permissions.add(Permission.objects.get(codename="handle_personal_data"))
    client.force_login(user)
    return user


@pytest.fixture
def account() -> MailAccount:
    return make_account(address="me@us.test")


def downloaded(client: Client) -> Any:
    answer = client.post(f"{PAGE}download/", {"person": MARIA})
    return json.loads(b"".join(answer.streaming_content))  # type: ignore[attr-defined]  # it streams


def test_the_page_counts_everything_under_every_address_and_shows_no_content(
    client: Client, officer: Any, account: MailAccount
) -> None:
    make_contact(MARIA, "maria@home.test", name="Maria Anders")
    store_message(account, sender="maria+news@c.test", to=account.address, subject="Secret one")
    store_message(account, sender=account.address, to="maria@home.test", subject="Secret two")
    make_outgoing(account).recipients.create(role="to", position=0, address="Maria@C.test")
    page = client.get(PAGE, {"person": "Maria@c.test"}).text
    assert "2 messages, " in page
    assert "1 message</dd>" in page
    assert "Maria Anders" in page
    assert page.count("Not shown to you") == 2
    assert "Secret" not in page
    assert "Good morning" not in page


def test_of_somebody_nothing_is_stored_about_there_is_no_table(client: Client, officer: Any) -> None:
    page = client.get(PAGE, {"person": "nobody@c.test"}).text
    assert "No messages" in page
    assert "<table" not in page


def test_of_their_own_mailbox_who_asks_sees_the_subject_and_downloads_the_text(client: Client, officer: Any) -> None:
    mine, theirs = make_account(officer), make_account()
    for each in (mine, theirs):
        store_message(each, sender=MARIA, to=each.address, subject=f"To {each.address}")
    told = downloaded(client)["messages"]
    assert [(each["mailbox"], each.get("subject"), each.get("text")) for each in told] == [
        (theirs.address, None, None),
        (mine.address, f"To {mine.address}", "Good morning"),
    ]
    assert told[0]["they_are"] == [{"role": "from", "address": MARIA, "name": ""}]


def test_a_download_misses_nothing_when_mail_comes_and_goes_meanwhile(
    client: Client, officer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(personal_data, "BATCH", 1)
    mine = make_account(officer)
    for each in ("Third", "Second", "First"):
        newest = store_message(mine, sender=MARIA, to=mine.address, subject=each)
    pieces = iter(client.post(f"{PAGE}download/", {"person": MARIA}).streaming_content)  # type: ignore[attr-defined]  # it streams
    text = b""
    while b"First" not in text:
        text += next(pieces)
    newest.delete()
    told = json.loads(text + b"".join(pieces))["messages"]
    assert [each["subject"] for each in told] == ["First", "Second", "Third"]


def test_owners_can_see_that_somebody_was_told(client: Client, officer: Any, account: MailAccount) -> None:
    store_message(account, sender=MARIA, to=account.address)
    make_account()
    downloaded(client)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.owner, entry.facts) == (
        "exported",
        officer,
        account.owner,
        {"messages": 1},
    )


def test_many_messages_take_as_many_queries_as_one(
    client: Client, officer: Any, account: MailAccount, django_assert_max_num_queries: Any
) -> None:
    make_contact(MARIA)
    for _ in range(60):
        store_message(account, sender=MARIA, to=account.address)
    with django_assert_max_num_queries(20):
        assert "Page 1 of 2" in client.get(PAGE, {"person": MARIA}).text
    assert len(downloaded(client)["messages"]) == 60


def test_a_person_is_erased_with_everything_and_barred(client: Client, officer: Any, account: MailAccount) -> None:
    make_contact(MARIA, "maria@home.test")
    make_contact("thomas@c.test")
    directory.added([MARIA, "thomas@c.test"])
    message = store_message(account, sender=MARIA, to="thomas@c.test")
    kept = store_message(account, sender="thomas@c.test", to=account.address, thread=message.thread)
    asked = client.post(f"{PAGE}erase/", {"person": MARIA})
    assert 'data-count="1"' in asked.text
    assert Contact.objects.count() == 2
    client.post(f"{PAGE}erase/", {"person": MARIA, "confirmed": "1", "bar": "on"})
    erasing = Erasing.objects.get()
    assert forgetting.go_on(erasing.pk)
    assert list(Message.objects.all()) == [kept]
    assert [str(each) for each in Contact.objects.get().addresses.all()] == ["thomas@c.test"]
    assert sorted(Barred.objects.values_list("pattern", flat=True)) == [MARIA, "maria@home.test"]
    make_contact(MARIA)
    assert known([MARIA]) == {}
    assert list(account.forgotten.values_list("fingerprint", flat=True)) == [message.fingerprint]
    assert DirectoryChange.objects.get().patterns == ["thomas@c.test"]


def test_nobody_else_finds_the_pages(client: Client, account: MailAccount) -> None:
    make_contact(MARIA)
    user = make_user()
    user.is_staff = True
    user.save()
    client.force_login(user)
    assert client.get(PAGE, {"person": MARIA}).status_code == 404
    for page in ("download/", "erase/"):
        assert client.post(PAGE + page, {"person": MARIA, "confirmed": "1"}).status_code == 404
    assert Contact.objects.exists()


@pytest.mark.parametrize("typed", ["nonsense", "@", "@a@c.test", "a@", "\0", ", ;"])
def test_what_is_no_address_gets_a_sentence_and_erases_nothing(client: Client, officer: Any, typed: str) -> None:
    assert client.get(PAGE, {"person": typed}).status_code == 200
    assert client.post(f"{PAGE}erase/", {"person": typed, "confirmed": "1"}).status_code == 404
    assert not Erasing.objects.exists()
