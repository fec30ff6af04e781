"""The list at a glance: last message, next sync, how it signs in and until when."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from tests.app.builders import make_account, make_credential, make_message

if TYPE_CHECKING:
    from django.test import Client

    from mailaccounts.models import MailAccount

pytestmark = pytest.mark.django_db


def glance(client: Client, account: MailAccount) -> str:
    client.force_login(account.owner)
    return " ".join(client.get("/settings/email-accounts/").content.decode().split())


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"minutes": 4, "seconds": 30}, "in 4 minutes"),
        ({"seconds": 40}, "in less than a minute"),
        ({"seconds": -5}, "as soon as a worker is free"),
    ],
)
def test_the_next_sync_is_told(client: Client, columns: dict[str, float], words: str) -> None:
    account = make_account(next_sync_at=timezone.now() + timedelta(**columns))
    make_credential(account)
    assert f"<dt>Next sync</dt><dd>{words}</dd>" in glance(client, account)


def test_an_account_that_waits_for_its_owner_has_no_next_sync(client: Client) -> None:
    account = make_account(status="needs_owner", next_sync_at=None)
    make_credential(account)
    assert "<dd>once it is reconnected</dd>" in glance(client, account)


def test_a_running_sync_is_told(client: Client) -> None:
    account = make_account(lease_owner="worker", lease_until=timezone.now() + timedelta(minutes=1))
    make_credential(account)
    assert "<dd>running now</dd>" in glance(client, account)


def test_the_last_message_is_the_newest_that_is_stored(client: Client) -> None:
    account = make_account()
    make_credential(account)
    assert "<dt>Last message</dt><dd>none yet</dd>" in glance(client, account)
    for days in (9, 2, 5):
        make_message(account, received_at=timezone.now() - timedelta(days=days))
    assert "<dt>Last message</dt><dd>2 days ago</dd>" in glance(client, account)


@pytest.mark.parametrize(
    ("host", "backend", "words"),
    [
        ("imap.gmail.com", "password", "Google ended passwords on 1 May 2025."),
        ("outlook.office365.com", "password", "Microsoft 365 "),
        ("imap.gmail.com", "app_password", ""),
        ("imap.example.test", "password", ""),
    ],
)
def test_an_announced_end_of_a_sign_in_is_told(client: Client, host: str, backend: str, words: str) -> None:
    account = make_account(imap_host=host)
    make_credential(account, backend=backend)
    page = glance(client, account)
    assert words in page
    assert ('class="account-end"' in page) is bool(words)
