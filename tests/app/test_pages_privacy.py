"""What colleagues see is its owner's choice, and so is whom they block; the ledger tells what came of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from mailaccounts.models import (
    AuditAction,
    AuditEntry,
    Blocked,
    DirectoryChange,
    Erasing,
    MailAccount,
    Message,
    Shown,
    Tally,
    Visibility,
)
from mailaccounts.services.people import directory, forgetting
from mailaccounts.services.people.privacy import show
from mailaccounts.services.trail import looks
from tests.app.builders import make_account, make_credential, make_message, make_quarantined, make_user
from tests.crm.builders import make_contact, store_message

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(client: Client) -> MailAccount:
    account = make_credential().account
    client.force_login(account.owner)
    return account


@pytest.fixture
def privacy(account: MailAccount) -> str:
    return f"/settings/email-accounts/{account.pk}/privacy/"


def test_nobody_sees_mail_unless_its_owner_says_so(client: Client, account: MailAccount, privacy: str) -> None:
    assert account.visibility == Visibility.OWNER
    assert 'value="owner" aria-describedby="only-me-help" checked' in client.get(privacy).content.decode()


def test_what_colleagues_see_is_changed_and_noted(client: Client, account: MailAccount, privacy: str) -> None:
    for _ in range(2):
        client.post(privacy, {"visibility": "subject"})
    account.refresh_from_db()
    entry = AuditEntry.objects.get(action=AuditAction.SHARED)
    assert account.visibility == Visibility.SUBJECT
    assert (entry.actor, entry.facts) == (account.owner, {"before": "owner", "after": "subject"})


@pytest.mark.parametrize("visibility", ["", "all"])
def test_what_is_no_choice_changes_nothing(
    client: Client, account: MailAccount, privacy: str, visibility: str
) -> None:
    response = client.post(privacy, {"visibility": visibility})
    assert 'role="alert"' in response.content.decode()
    account.refresh_from_db()
    assert account.visibility == Visibility.OWNER


def test_what_is_neither_an_address_nor_a_domain_is_not_blocked(client: Client, privacy: str) -> None:
    page = client.post(privacy, {"pattern": "anna at home"}).content.decode()
    assert "neither an address nor a domain" in page
    assert 'value="anna at home"' in page
    assert not Blocked.objects.exists()


def test_blocking_somebody_offers_to_erase_what_only_they_justified(
    client: Client, account: MailAccount, privacy: str
) -> None:
    make_contact("nina@private.test")
    make_contact("maria@c.test")
    alone = store_message(account, sender="nina@private.test", to=account.address, subject="Alone")
    together = store_message(account, sender="nina@private.test", to="maria@c.test", subject="Together")
    elsewhere = store_message(make_account(), sender="nina@private.test", to="me@us.test", subject="Elsewhere")
    page = client.post(privacy, {"pattern": "Nina@private.test"}, follow=True)
    assert "1 message in 1 conversation is stored in your mailboxes only because of them" in page.content.decode()
    told = client.post(page.request["PATH_INFO"], {"erase": ""})
    erasing = Erasing.objects.get()
    assert told["Location"] == f"/mail/erasing/{erasing.pk}/"
    assert forgetting.go_on(erasing.pk)
    assert set(Message.objects.all()) == {together, elsewhere}
    assert not Message.objects.filter(pk=alone.pk).exists()
    assert Tally.objects.get(account=account).erased == 1


def test_who_is_blocked_is_shown_to_nobody_else_and_can_be_unblocked(
    client: Client, account: MailAccount, privacy: str
) -> None:
    page = client.post(privacy, {"pattern": "@private.test"}, follow=True)
    assert "Nothing is stored in your mailboxes only because of them" in page.content.decode()
    other = make_account(make_user())
    client.force_login(other.owner)
    theirs = f"/settings/email-accounts/{other.pk}/privacy/"
    assert "private.test" not in client.get(theirs).content.decode()
    blocked = Blocked.objects.get()
    assert client.post(f"{theirs}blocked/{blocked.pk}/", {"unblock": ""}).status_code == 404
    client.force_login(account.owner)
    unblocked = client.post(page.request["PATH_INFO"], {"unblock": ""}, follow=True).text
    assert not Blocked.objects.exists()
    assert "Looking for earlier mail with @private.test: 0 of 1 mailbox done." in unblocked
    assert [change.patterns for change in directory.pending(account)] == [["@private.test"]]
    assert directory.pending(other) == [], "nobody else's mail is looked through"
    MailAccount.objects.filter(pk=account.pk).update(looked_for=DirectoryChange.objects.get().pk)
    assert "Looking for" not in client.get(privacy).text
    DirectoryChange.objects.update(told_at=timezone.now(), created_at=timezone.now() - timedelta(days=8))
    directory.enqueue_due()
    assert not DirectoryChange.objects.exists(), "though the other's mailbox never follows it"


@pytest.mark.parametrize("shown", [Shown.HIDDEN, Shown.REVEALED])
def test_a_message_is_hidden_or_revealed_and_put_back(client: Client, account: MailAccount, shown: str) -> None:
    message = make_message(account)
    address = f"/mail/message/{message.pk}/show/"
    assert client.post(address, {"shown": shown, "next": "/inbox/"})["Location"] == "/inbox/"
    message.refresh_from_db()
    assert message.shown == shown
    client.post(address, {"shown": ""})
    message.refresh_from_db()
    assert message.shown == Shown.AS_ACCOUNT
    noted = [each.facts for each in AuditEntry.objects.filter(action=AuditAction.SHOWN).order_by("at")]
    assert noted == [
        {"message": message.pk, "before": "", "after": shown},
        {"message": message.pk, "before": shown, "after": ""},
    ]


def test_a_message_that_is_erased_this_moment_is_neither_hidden_nor_revealed(account: MailAccount) -> None:
    message = make_message(account)
    Message.objects.filter(pk=message.pk).delete()
    assert not show(message, Shown.REVEALED, actor=account.owner)
    assert not AuditEntry.objects.filter(action=AuditAction.SHOWN).exists()


@pytest.mark.parametrize("away", ["https://evil.test/", "//evil.test/", "javascript:alert(1)", "x", ""])
def test_no_answer_leads_away_from_here(client: Client, account: MailAccount, away: str) -> None:
    message = make_message(account)
    response = client.post(f"/mail/message/{message.pk}/show/", {"shown": "hidden", "next": away})
    assert response["Location"].startswith("/settings/")


def test_the_ledger_says_what_became_of_mail_and_who_looked(client: Client, account: MailAccount) -> None:
    Tally.objects.create(account=account, stored=5, again=1, nobody=1200, colleagues=3, blocked=2, joined=1, bodies=4)
    account.folders.create(name="INBOX", role="inbox", uidvalidity=1, older=77)
    make_quarantined(account)
    message = make_message(account, subject="Between us")
    looks.note(message, viewer=make_user("jo"), why="On a timeline")
    page = client.get(f"/settings/email-accounts/{account.pk}/ledger/").content.decode()
    figures = {"examined": "1,210", "stored": "5", "again": "1", "skipped": "1,204", "nobody": "1,200"}
    figures |= {"colleagues": "3", "blocked": "2", "set_aside": "1", "older": "77", "bodies": "4"}
    for name, number in figures.items():
        assert f'data-figure="{name}">{number}<' in page
    for words in ("jo", "Between us", "On a timeline"):
        assert words in page


def test_the_ledger_of_a_mailbox_that_was_never_read_is_empty(client: Client, account: MailAccount) -> None:
    page = client.get(f"/settings/email-accounts/{account.pk}/ledger/").content.decode()
    assert 'data-figure="examined">0<' in page
    assert "Nobody but you has read a message" in page


def test_the_ledger_of_many_looks_takes_as_many_queries_as_that_of_one(
    client: Client, account: MailAccount, django_assert_max_num_queries: Any
) -> None:
    looks.note_all([make_message(account) for _ in range(60)], viewer=make_user(), why="On a timeline")
    with django_assert_max_num_queries(13):
        page = client.get(f"/settings/email-accounts/{account.pk}/ledger/").content.decode()
    assert page.count("On a timeline") == 50
    assert "?page=2" in page
