"""Mail that is gone from its mailbox is deleted in the end, and not a moment too soon."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from mailaccounts import tasks
from mailaccounts.conf import settings
from mailaccounts.models import MailAccount, Message, Thread
from mailaccounts.services.limits import lease
from mailaccounts.services.storing import removal, sweep
from tests.app.builders import make_account, make_message

pytestmark = pytest.mark.django_db(transaction=True)

LATELY = {"status": "ok", "clean_syncs": sweep.CLEAN_SYNCS}


@pytest.fixture
def account() -> MailAccount:
    return make_account(last_sync_at=timezone.now(), **LATELY)


def gone(account: MailAccount, *, days: float = 0, **columns: Any) -> Message:
    days = days or settings.expunged_days + 0.1
    return make_message(account, gone_since=timezone.now() - timedelta(days=days), **columns)


def test_a_message_is_kept_for_the_days_promised_and_then_deleted_with_its_conversation(account: MailAccount) -> None:
    kept, early = make_message(account), gone(account, days=settings.expunged_days - 0.1)
    gone(account)
    tasks.tick()
    assert set(Message.objects.all()) == {kept, early}
    assert set(Thread.objects.all()) == {kept.thread, early.thread}


def test_a_conversation_that_goes_on_stays(account: MailAccount) -> None:
    kept = make_message(account)
    gone(account, thread=kept.thread)
    assert sweep.sweep() == 1
    assert Thread.objects.filter(pk=kept.thread_id).exists()


@pytest.mark.parametrize(
    "trouble",
    [{"status": "waiting"}, {"status": "disconnected"}, {"clean_syncs": 1}, {"last_sync_at": None}],
    ids=lambda trouble: next(iter(trouble)),
)
def test_nothing_is_deleted_of_an_account_in_trouble(account: MailAccount, trouble: dict[str, Any]) -> None:
    """It may have been moved to where nobody could look since."""
    gone(account)
    MailAccount.objects.update(**trouble)
    assert sweep.sweep() == 0


def test_nothing_is_deleted_of_an_account_that_was_not_synced_since(account: MailAccount) -> None:
    gone(account, days=30)
    MailAccount.objects.update(last_sync_at=timezone.now() - timedelta(days=20))
    assert sweep.sweep() == 0


def test_a_sync_that_is_under_way_goes_first(account: MailAccount) -> None:
    gone(account)
    held = lease.claim(account)
    assert held is not None
    assert sweep.sweep() == 0
    lease.release(held)
    assert sweep.sweep() == 1


def test_so_many_at_once(account: MailAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "MESSAGES", 2)
    for _ in range(5):
        gone(account)
    assert [sweep.sweep() for _ in range(4)] == [2, 2, 1, 0]


def test_half_of_an_accounts_mail_waits_for_many_syncs_to_confirm_it(
    account: MailAccount, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(sweep.FEW + 1):
        gone(account)
    assert sweep.sweep() == 0
    assert f"{sweep.FEW + 1} of {sweep.FEW + 1} messages are gone" in caplog.text
    MailAccount.objects.update(clean_syncs=sweep.CONFIRMATIONS)
    assert sweep.sweep() == sweep.FEW + 1
