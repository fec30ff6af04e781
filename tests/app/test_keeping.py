"""For how long a mailbox's mail is kept: what is older is erased, after its owner has seen how much that is."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from mailaccounts import tasks
from mailaccounts.models import AuditEntry, MailAccount, Message, Tally
from mailaccounts.services.storing import removal
from mailaccounts.services.syncing import retention
from tests.app.builders import make_account, make_message, make_outgoing, make_user

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db

DAYS = 30


@pytest.fixture
def account() -> MailAccount:
    return make_account()


def arrived(account: MailAccount, days: float) -> Message:
    return make_message(account, received_at=timezone.now() - timedelta(days=days))


def test_its_owner_sees_how_much_is_erased_before_it_is(client: Client, account: MailAccount) -> None:
    arrived(account, DAYS + 1)
    kept = arrived(account, DAYS - 1)
    client.force_login(account.owner)
    page = f"/settings/email-accounts/{account.pk}/keeping/"
    asked = client.post(page, {"days": DAYS, "looks_back": "on"})
    assert 'data-count="1"' in asked.text
    account.refresh_from_db()
    assert account.keep_days is None
    assert client.post(page, {"days": DAYS, "confirmed": "1"}).status_code == 302
    account.refresh_from_db()
    assert (account.keep_days, account.looks_back) == (DAYS, False)
    tasks.keep(account.pk)
    assert list(account.messages.all()) == [kept]
    assert Tally.objects.get(account=account).erased == 1
    entry = AuditEntry.objects.get(account=account.pk)
    assert (entry.action, entry.actor, entry.facts) == ("keeping", account.owner, {"days": DAYS})


def test_what_was_sent_and_is_older_goes_too(account: MailAccount) -> None:
    long_ago = timezone.now() - timedelta(days=DAYS + 1)
    make_outgoing(account, state="sent", sent_at=long_ago, filing="done")
    draft = make_outgoing(account, created_at=long_ago)
    MailAccount.objects.filter(pk=account.pk).update(keep_days=DAYS)
    assert retention.erase_old(account.pk)
    assert list(account.outgoing.all()) == [draft]


def test_once_a_day_what_is_too_old_goes_from_every_mailbox_that_does_not_keep_it(
    account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "MESSAGES", 2)
    for _ in range(5):
        arrived(account, DAYS + 1)
    other = arrived(make_account(), 10 * DAYS)
    MailAccount.objects.filter(pk=account.pk).update(keep_days=DAYS, status="disconnected")
    retention.erase_due()
    assert list(Message.objects.all()) == [other]


def test_while_a_sync_runs_nothing_is_erased(account: MailAccount) -> None:
    arrived(account, DAYS + 1)
    soon = timezone.now() + timedelta(minutes=1)
    MailAccount.objects.filter(pk=account.pk).update(keep_days=DAYS, lease_owner="a-worker", lease_until=soon)
    retention.erase_old(account.pk)
    assert account.messages.count() == 1


@pytest.mark.parametrize("typed", ["0", "-1", "many", "99999"])
def test_what_is_no_number_of_days_gets_a_sentence(client: Client, account: MailAccount, typed: str) -> None:
    client.force_login(account.owner)
    page = client.post(f"/settings/email-accounts/{account.pk}/keeping/", {"days": typed})
    assert "invalid-feedback" in page.text
    account.refresh_from_db()
    assert account.keep_days is None


def test_nobody_else_says_how_long_mail_is_kept(client: Client, account: MailAccount) -> None:
    client.force_login(make_user())
    page = f"/settings/email-accounts/{account.pk}/keeping/"
    assert client.get(page).status_code == 404
    assert client.post(page, {"days": 1, "confirmed": "1"}).status_code == 404
