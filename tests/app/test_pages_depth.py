"""How far back mail is brought in can be extended, and how far history is shows on the page."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from tests.app.builders import make_account, make_credential

if TYPE_CHECKING:
    from django.test import Client

    from mailaccounts.models import MailAccount

pytestmark = pytest.mark.django_db

BEFORE = date(2026, 3, 1)


@pytest.fixture
def account(client: Client) -> MailAccount:
    account = make_account(since=BEFORE, status="ok")
    make_credential(account)
    client.force_login(account.owner)
    return account


def ask(client: Client, account: MailAccount, since: str = "", **more: str) -> str:
    typed = {"since": since, **more}
    response = client.post(f"/settings/email-accounts/{account.pk}/older-mail/", typed, follow=True)
    account.refresh_from_db()
    return response.content.decode()


@pytest.mark.parametrize(
    ("typed", "then"), [({"since": "2025-12-24"}, date(2025, 12, 24)), ({"everything": "on"}, None)]
)
def test_older_mail_is_brought_in_with_a_sync_that_is_queued(
    client: Client, account: MailAccount, typed: dict[str, str], then: date | None
) -> None:
    assert "since 1 March 2026" in client.get(f"/settings/email-accounts/{account.pk}/older-mail/").content.decode()
    assert "Older mail is on its way" in ask(client, account, **typed)
    assert account.since == then
    assert account.next_sync_at is not None
    assert account.next_sync_at <= timezone.now()


@pytest.mark.parametrize("since", ["2026-03-01", "2026-06-01"])
def test_a_later_day_leaves_everything_as_it_is(client: Client, account: MailAccount, since: str) -> None:
    assert "Nothing to do" in ask(client, account, since)
    assert (account.since, account.next_sync_at) == (BEFORE, None)


def test_all_there_is_is_the_most(client: Client) -> None:
    account = make_account(since=None, status="ok")
    client.force_login(account.owner)
    assert "Nothing to do" in ask(client, account, "2001-01-01")
    assert account.since is None


def test_a_disconnected_account_brings_in_nothing(client: Client, account: MailAccount) -> None:
    type(account).objects.filter(pk=account.pk).update(status="disconnected")
    assert "Nothing to do" in ask(client, account, "2020-01-01")
    assert account.since == BEFORE


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("yesterday", "Enter a valid date"),
        ("2999-01-01", "This day is still to come."),
        ("", "Say since which day, or choose all."),
    ],
)
def test_what_is_no_answer_is_said_beside_the_field(
    client: Client, account: MailAccount, typed: str, said: str
) -> None:
    assert said in ask(client, account, typed)
    assert account.since == BEFORE


def test_the_page_shows_how_far_history_is(client: Client, account: MailAccount) -> None:
    type(account).objects.filter(pk=account.pk).update(next_sync_at=timezone.now())
    account.folders.create(
        name="INBOX", role="inbox", uidvalidity=1, history_below=9, history_done=30, history_total=120
    )
    account.folders.create(name="Sent", role="sent", uidvalidity=1, history_below=5, history_done=20, history_total=80)
    account.folders.create(name="Done", uidvalidity=1, history_below=0, history_done=70, history_total=70)
    page = client.get(f"/settings/email-accounts/{account.pk}/").content.decode()
    assert '<progress class="sync-progress" value="50" max="200"' in page
