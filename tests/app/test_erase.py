"""Erasing a big mailbox: in bounded steps, by one worker, resumed wherever it stopped."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ

from crm.models import TimelineEntry
from crm.selectors import timeline
from mailaccounts import tasks
from mailaccounts.models import Folder, MailAccount, Message, MessageUid, Participant, Thread, ThreadKey
from mailaccounts.queue import Job
from mailaccounts.selectors import messages_for, receipts
from mailaccounts.services.connecting import disconnect as disconnecting
from mailaccounts.services.connecting import erase as erasing
from mailaccounts.services.connecting.disconnect import Reason, cut
from mailaccounts.services.connecting.erase import erase
from mailaccounts.services.connecting.receipt import Receipt
from mailaccounts.services.limits import lease
from mailaccounts.services.syncing.due import enqueue_due
from tests.app.builders import make_account, make_credential
from tests.crm.builders import make_contact, store_message

if TYPE_CHECKING:
    from crm.models import Contact

pytestmark = pytest.mark.django_db(transaction=True)

MESSAGES = 25


@pytest.fixture
def contact() -> Contact:
    return make_contact()


@pytest.fixture
def account(contact: Contact, monkeypatch: pytest.MonkeyPatch) -> MailAccount:
    """An account with more messages than fit into a batch, which its owner wants erased."""
    monkeypatch.setattr(erasing, "BATCH", 10)
    account = make_credential(make_account()).account
    folder = Folder.objects.create(account=account, name="Projects", uidvalidity=1)
    for number in range(MESSAGES):
        message = store_message(account, sender=contact.email, to=account.address)
        MessageUid.objects.create(folder=folder, message=message, uidvalidity=1, uid=number + 1)
        ThreadKey.objects.create(account=account, thread=message.thread, message_id=f"{number}@letters.test")
    assert TimelineEntry.objects.count() == MESSAGES
    cut(account.pk, reason=Reason.ASKED, actor=account.owner, erase_mail=True)
    account.refresh_from_db()
    return account


def nothing_is_left() -> bool:
    models = (MailAccount, Folder, Message, MessageUid, Participant, Thread, ThreadKey, TimelineEntry)
    return not any(model.objects.exists() for model in models)


def queued() -> list[tuple[str, int]]:
    return [(each.task["func"], each.task["args"][0]) for each in OrmQ.objects.order_by("pk")]


def free() -> None:
    """Time passes: the lease of a worker that was lost runs out."""
    past = timezone.now() - timedelta(seconds=1)
    MailAccount.objects.update(lease_until=past, next_sync_at=past)


def test_everything_of_it_goes_also_from_the_timelines(account: MailAccount) -> None:
    assert erase(account.pk)
    assert nothing_is_left()
    receipt = Receipt.of(receipts().get())
    assert (receipt.messages, receipt.erasing) == (MESSAGES, False)


def test_its_mail_is_out_of_sight_at_once(account: MailAccount, contact: Contact) -> None:
    assert Message.objects.count() == MESSAGES
    assert not messages_for(account.owner).exists()
    assert not timeline(contact, user=account.owner).exists()


def test_each_transaction_erases_a_batch_and_reads_no_message(account: MailAccount) -> None:
    with CaptureQueriesContext(connection) as queries:
        erase(account.pk)
    statements = [each["sql"] for each in queries]
    begun = [number for number, sql in enumerate(statements) if sql == "BEGIN"]
    assert len(begun) >= MESSAGES / erasing.BATCH
    longest = max(after - before for before, after in zip(begun, [*begun[1:], len(statements)], strict=True))
    assert longest <= 30, "however many messages there are"
    assert not any("body_text" in sql for sql in statements)


def test_what_time_does_not_allow_is_left_for_the_next_job(account: MailAccount) -> None:
    OrmQ.objects.all().delete()
    assert not erase(account.pk, seconds=0)
    assert Message.objects.count() == MESSAGES - erasing.BATCH
    assert enqueue_due() == 1
    assert queued() == [(Job.ERASE, account.pk)]
    tasks.erase(account.pk)
    assert nothing_is_left()


def test_a_job_that_runs_out_of_time_queues_the_next(account: MailAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    OrmQ.objects.all().delete()
    monkeypatch.setattr(tasks, "erase_account", lambda account_id: erase(account_id, seconds=0))
    jobs = 0
    while MailAccount.objects.exists():
        tasks.erase(account.pk)
        jobs += 1
        assert jobs < 20
    assert jobs > 2
    assert set(queued()) == {(Job.ERASE, account.pk)}


def test_a_worker_that_was_lost_is_followed_by_another(account: MailAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    original: Any = erasing._erase_batch
    batches = []

    def killed(*args: Any) -> Any:
        batches.append(1)
        if len(batches) == 2:
            raise KeyboardInterrupt
        return original(*args)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(erasing, "_erase_batch", killed)
        erase(account.pk)
    assert Message.objects.count() == MESSAGES - erasing.BATCH
    assert not erase(account.pk), "its lease still holds"
    free()
    assert enqueue_due() == 1
    tasks.erase(account.pk)
    assert nothing_is_left()


def test_two_workers_do_not_get_in_each_others_way(account: MailAccount) -> None:
    held = lease.claim(account, state=lease.BEING_ERASED)
    assert held is not None
    assert not erase(account.pk)
    assert Message.objects.count() == MESSAGES
    assert lease.claim(account) is None, "a sync least of all"


def test_an_account_that_is_not_to_be_erased_is_not(account: MailAccount) -> None:
    kept = make_account(status="disconnected")
    assert not erase(kept.pk)
    connected = make_account()
    tasks.erase(connected.pk)
    assert MailAccount.objects.filter(pk__in=[kept.pk, connected.pk]).count() == 2
    assert erase(123456), "what is gone is erased"


def test_a_big_mailbox_is_erased_by_a_worker_while_its_owner_reads_the_receipt(
    account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disconnecting, "AT_ONCE_SECONDS", 0)
    other = make_credential(make_account(account.owner)).account
    for _ in range(MESSAGES):
        store_message(other, sender="maria@customer.test", to=other.address)
    receipt = disconnecting.disconnect(other, erase_mail=True, actor=other.owner)
    assert Receipt.of(receipt).erasing
    tasks.tick()
    assert (Job.ERASE, other.pk) in queued()
    tasks.erase(other.pk)
    assert not Receipt.of(receipt).erasing
