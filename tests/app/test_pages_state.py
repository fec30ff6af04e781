"""How an account's page tells what it is doing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ

from mailaccounts.models import AccountStatus, Folder, MailAccount, MessageUid
from mailaccounts.views import folder_rows
from tests.app.builders import make_account, make_client, make_credential, make_grant, make_message, make_user

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import DjangoAssertNumQueries
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db
FRAGMENT = {"HX-Request": "true"}


def address_of(account: MailAccount) -> str:
    return f"/settings/email-accounts/{account.pk}/"


def page_of(client: Client, account: MailAccount, **headers: str) -> str:
    client.force_login(account.owner)
    return client.get(address_of(account), headers=headers).content.decode()


def running(**columns: object) -> MailAccount:
    ahead = timezone.now() + timedelta(minutes=2)
    return make_account(lease_owner="worker", lease_until=ahead, stage="Reading INBOX", **columns)


def test_a_running_sync_tells_its_stage_and_asks_for_news(client: Client) -> None:
    page = page_of(client, running())
    assert "Reading INBOX" in page
    assert 'hx-trigger="every 2s"' in page
    assert "Refresh to see how far it is" in page


def test_a_due_account_waits_for_a_worker(client: Client) -> None:
    page = page_of(client, make_account(next_sync_at=timezone.now()))
    assert "Waiting for a worker" in page
    assert 'hx-trigger="every 2s"' in page


def test_an_account_at_rest_asks_for_nothing(client: Client) -> None:
    page = page_of(client, make_account(next_sync_at=timezone.now() + timedelta(minutes=5)))
    assert "hx-trigger" not in page


def test_the_news_are_the_same_part_without_the_page_around_it(client: Client) -> None:
    account = running()
    part = page_of(client, account, **FRAGMENT)
    assert part.lstrip().startswith('<div id="account-state"')
    assert "<html" not in part
    csrf_free = [line for line in part.splitlines() if "csrfmiddlewaretoken" not in line]
    whole = page_of(client, account)
    assert all(line.strip() in whole for line in csrf_free)


def test_a_worker_that_is_lost_is_not_shown_as_running(client: Client) -> None:
    account = make_account(lease_owner="lost", lease_until=timezone.now() - timedelta(seconds=1), stage="Reading")
    assert "Reading" not in page_of(client, account, **FRAGMENT)


def test_sync_now_queues_the_account_once_and_shows_that_it_waits(client: Client) -> None:
    account = make_account(next_sync_at=timezone.now() + timedelta(hours=1))
    client.force_login(account.owner)
    response = client.post(address_of(account) + "sync/", follow=True)
    assert "Waiting for a worker" in response.content.decode()


@pytest.mark.django_db(transaction=True)
def test_sync_now_gives_the_queue_one_job(client: Client) -> None:
    account = make_account()
    client.force_login(account.owner)
    client.post(address_of(account) + "sync/")
    assert OrmQ.objects.count() == 1


@pytest.mark.parametrize("status", AccountStatus)
def test_every_status_is_told_in_words(client: Client, status: AccountStatus) -> None:
    account = make_account(status=status, status_code="some_code", status_message="What happened. What to do.")
    client.force_login(account.owner)
    for page in (client.get(address_of(account)), client.get("/settings/email-accounts/")):
        assert str(status.label) in page.content.decode()
        assert "What happened. What to do." in page.content.decode()


def test_an_account_that_needs_its_owner_offers_to_reconnect_first(client: Client) -> None:
    page = page_of(client, make_account(status=AccountStatus.NEEDS_OWNER), **FRAGMENT)
    assert f'class="btn btn-primary" href="{"/settings/email-accounts/"}' in page
    assert "reconnect/" in page


def test_folders_that_are_not_read_say_so(client: Client) -> None:
    account = make_account()
    for name, role, synced in (("INBOX", "inbox", timezone.now()), ("Trash", "trash", None), ("New", "other", None)):
        Folder.objects.create(account=account, name=name, role=role, synced_at=synced, examined=1234)
    page = page_of(client, account, **FRAGMENT)
    assert page.index("INBOX") < page.index("New") < page.index("Trash")
    assert [words in page for words in ("just now", "Nothing yet", "Left out", "1,234", "3,702")] == [True] * 5


def test_the_folders_of_gmail_are_shown_as_the_labels_they_are(client: Client) -> None:
    account = make_account()
    found = {
        name: Folder.objects.create(account=account, name=name, role=role)
        for name, role in (("INBOX", "inbox"), ("[Gmail]/All Mail", "all"), ("Work", "other"), ("Trash", "trash"))
    }
    everything = found["[Gmail]/All Mail"]
    Folder.objects.filter(pk=everything.pk).update(uidvalidity=1, synced_at=timezone.now())
    for uid, labels in enumerate(("\\Inbox", "Work\n\\Inbox", "", "Workshop"), start=1):
        MessageUid.objects.create(
            folder=everything, message=make_message(account), uidvalidity=1, uid=uid, labels=labels
        )
    rows = {row.name: row for row in folder_rows.of(account)}
    assert {name: row.stored for name, row in rows.items()} == {
        "INBOX": 2, "[Gmail]/All Mail": 4, "Trash": 0, "Work": 1,
    }  # fmt: skip
    page = page_of(client, account, **FRAGMENT)
    assert page.count("In [Gmail]/All Mail") == 2
    assert [words in page for words in ("Left out", "just now", "Nothing yet")] == [True, True, False]


def test_a_folder_that_a_sync_finds_while_the_page_is_made_breaks_nothing() -> None:
    account = make_account()

    def meanwhile(execute: Any, *asked: Any) -> Any:
        answer = execute(*asked)
        Folder.objects.get_or_create(account=account, name="Found meanwhile")
        return answer

    with connection.execute_wrapper(once(meanwhile)):
        folder_rows.of(account)
    assert [row.name for row in folder_rows.of(account)] == ["Found meanwhile"]


def once(wrapper: Any) -> Any:
    """Wraps the first query alone."""
    asked = iter([wrapper])
    return lambda execute, *rest: next(asked, lambda run, *given: run(*given))(execute, *rest)


def test_switching_is_offered_only_for_a_password_and_with_a_registration(
    client: Client, settings: SettingsWrapper
) -> None:
    registered = {"microsoft": {"client_id": "a", "client_secret": "b", "tenant": "t", "authority": "https://x.test"}}
    with_password = make_credential(make_account(takes_tokens=True)).account
    named = make_client(in_settings=True)  # by the settings of another day
    with_consent = make_credential(grant=make_grant(named), backend="xoauth2").account
    assert "Switch to OAuth" not in page_of(client, with_password)
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": registered}
    assert "Switch to OAuth" in page_of(client, with_password)
    assert "Switch to OAuth" not in page_of(client, with_consent)


def test_the_list_needs_as_many_queries_for_many_accounts_as_for_one(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    owner = make_user()
    for _ in range(10):
        make_credential(make_account(owner))
    client.force_login(owner)
    # session, user, accounts, credentials, receipts, what was handed over, permissions twice, sign-ins, notices
    with django_assert_num_queries(10):
        client.get("/settings/email-accounts/")


def test_the_pages_have_a_plain_look_of_their_own(client: Client, settings: SettingsWrapper) -> None:
    """In a host without templates of its own."""
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": []}]
    account = make_credential().account
    client.force_login(account.owner)
    for end in ("", "connect/", f"{account.pk}/", f"{account.pk}/switch/", f"{account.pk}/disconnect/"):
        page = client.get(f"/settings/email-accounts/{end}").content.decode()
        assert "mailaccounts/mailaccounts.css" in page
        assert "tabler" not in page
