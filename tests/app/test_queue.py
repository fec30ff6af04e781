"""Jobs: who is due, what is queued, and what a task leaves behind."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ, Schedule

from mailaccounts import tasks
from mailaccounts.models import ERASING, AccountStatus, MailAccount
from mailaccounts.queue import Job, enqueue, ensure_schedules
from mailaccounts.services.limits import lease
from mailaccounts.services.syncing import poll
from mailaccounts.services.syncing.due import enqueue_due, put_back, sync_soon
from mailaccounts.services.syncing.report import SyncReport
from tests.app.builders import make_account, make_credential

pytestmark = pytest.mark.django_db(transaction=True)


def queued() -> list[tuple[str, tuple[int, ...]]]:
    return [(each.task["func"], each.task["args"]) for each in OrmQ.objects.order_by("pk")]


def due(seconds: float = 1, **columns: Any) -> MailAccount:
    """An account that has been due for so long, and has been synced before."""
    return make_account(**{"next_sync_at": timezone.now() - timedelta(seconds=seconds), "status": "ok", **columns})


def test_a_job_is_queued_when_the_transaction_commits_and_not_before() -> None:
    with transaction.atomic():
        enqueue(Job.SYNC, 7)
        assert queued() == []
    assert queued() == [(Job.SYNC, (7,))]


def test_a_job_is_never_queued_when_the_transaction_is_rolled_back() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        enqueue(Job.SYNC, 7)
        raise RuntimeError
    assert queued() == []


def test_a_broker_that_is_down_does_not_undo_what_was_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise ConnectionError("no broker")

    monkeypatch.setattr("mailaccounts.queue.async_task", refuse)
    with transaction.atomic():
        account = due()
        enqueue(Job.SYNC, account.pk)
    monkeypatch.undo()
    tasks.tick()
    assert queued() == [(Job.SYNC, (account.pk,))]


def test_a_job_takes_ids_and_nothing_else() -> None:
    with pytest.raises(TypeError):
        enqueue(Job.SYNC, "secret")  # type: ignore[arg-type]  # what the check is for
    assert queued() == []


def test_a_tick_queues_what_is_due_once() -> None:
    first, second = due(), due()
    make_account(next_sync_at=timezone.now() + timedelta(minutes=1))
    make_account(next_sync_at=None)  # waits for its owner
    tasks.tick()
    tasks.tick()
    assert queued() == [(Job.SYNC, (first.pk, second.pk))]


@pytest.mark.parametrize(("workers", "size"), [(1, 3), (2, 2), (3, 3)])
def test_a_job_takes_a_portion_of_what_is_due_and_each_worker_as_many(
    monkeypatch: pytest.MonkeyPatch, workers: int, size: int
) -> None:
    monkeypatch.setattr("mailaccounts.services.syncing.due.PORTION", 3)
    monkeypatch.setattr("mailaccounts.services.syncing.due.workers", lambda: workers)
    accounts = [due(9 - number).pk for number in range(7)]
    assert enqueue_due() == 7
    assert queued() == [(Job.SYNC, tuple(accounts[start : start + size])) for start in range(0, 7, size)]


def test_whoever_may_take_long_or_has_lost_a_worker_keeps_nobody_waiting() -> None:
    past = timezone.now() - timedelta(seconds=1)
    usual = [due().pk, due().pk]
    alone = [due(status="new").pk, due(lease_owner="lost", lease_until=past).pk]
    going = due(status=AccountStatus.DISCONNECTED, status_code=ERASING).pk
    assert enqueue_due() == 5
    expected = [(Job.SYNC, tuple(usual)), *((Job.SYNC, (pk,)) for pk in alone), (Job.ERASE, (going,))]
    assert sorted(queued()) == sorted(expected)


def test_tenants_take_turns_and_the_longest_due_of_each_goes_first() -> None:
    """The first has many accounts and was there first."""
    many = [due(1000 - number, address=f"{number}@big.test").pk for number in range(4)]
    few = [due(10 - number, address=f"{number}@Small.test").pk for number in range(2)]
    elsewhere = due(1, address="5@big.test", imap_host="imap.other.test").pk
    enqueue_due()
    assert queued() == [(Job.SYNC, (many[0], few[0], elsewhere, many[1], few[1], many[2], many[3]))]


def test_what_a_job_had_no_time_for_is_due_again() -> None:
    accounts = [due().pk for _ in range(3)]
    enqueue_due()
    OrmQ.objects.all().delete()
    later = make_account(next_sync_at=timezone.now() + timedelta(hours=1))
    put_back([*accounts[1:], later.pk])
    enqueue_due()
    assert queued() == [(Job.SYNC, tuple(accounts[1:]))]


def test_an_account_whose_owner_was_deactivated_is_not_synced_any_more() -> None:
    owner = due().owner
    owner.is_active = False
    owner.save()
    assert enqueue_due() == 0


def test_a_full_queue_is_not_filled_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailaccounts.services.syncing.due.FULL", 3)
    monkeypatch.setattr("mailaccounts.services.syncing.due.PORTION", 1)
    accounts = [due() for _ in range(5)]
    assert [enqueue_due(), enqueue_due()] == [3, 0]
    OrmQ.objects.all().delete()  # the workers have caught up
    assert enqueue_due() == 2
    assert queued() == [(Job.SYNC, (account.pk,)) for account in accounts[3:]]


def test_an_account_that_a_worker_has_is_not_queued() -> None:
    account = due()
    assert lease.claim(account) is not None
    MailAccount.objects.update(next_sync_at=timezone.now() - timedelta(seconds=1))
    assert enqueue_due() == 0


def test_an_account_whose_worker_was_lost_is_queued_again() -> None:
    account = due()
    assert lease.claim(account) is not None
    past = timezone.now() - timedelta(seconds=1)
    MailAccount.objects.update(next_sync_at=past, lease_until=past)
    assert enqueue_due() == 1


def test_a_tick_finds_locks_and_marks_all_that_is_due_with_three_queries() -> None:
    numbers = []
    for accounts in (2, 20):
        for _ in range(accounts):
            due()
        with CaptureQueriesContext(connection) as queries:
            assert enqueue_due() == accounts
        numbers.append(len([each for each in queries if '"mailaccounts_mailaccount"' in each["sql"]]))
    assert numbers == [3, 3]


def test_the_tick_and_the_days_work_are_scheduled_once_however_often_one_migrates() -> None:
    ensure_schedules()
    call_command("migrate", verbosity=0)
    tick, day = Schedule.objects.order_by("-name")
    assert (tick.func, tick.schedule_type, tick.minutes, tick.repeats) == (Job.TICK, Schedule.MINUTES, 1, -1)
    assert (day.func, day.schedule_type, day.repeats) == (Job.DAY, Schedule.DAILY, -1)


def test_a_sync_that_ran_out_of_time_is_queued_again(monkeypatch: pytest.MonkeyPatch) -> None:
    reports = iter(
        [SyncReport(account="a", status="ok", finished=False), SyncReport(account="a", status="ok", finished=True)]
    )
    monkeypatch.setattr(poll, "sync_account", lambda account_id: next(reports))
    account = due()
    tasks.sync(account.pk)
    tasks.sync(account.pk)
    assert queued() == [(Job.SYNC, (account.pk,))]


def test_a_sync_that_goes_on_and_the_tick_queue_an_account_once(monkeypatch: pytest.MonkeyPatch) -> None:
    account = due()

    def unfinished(account_id: int) -> SyncReport:
        MailAccount.objects.update(next_sync_at=timezone.now())
        return SyncReport(account="a", status="ok")

    monkeypatch.setattr(poll, "sync_account", unfinished)
    for _ in range(5):
        tasks.sync(account.pk)
        tasks.tick()
        assert queued() == [(Job.SYNC, (account.pk,))]
        OrmQ.objects.all().delete()  # its turn has come


def test_asking_for_a_sync_again_and_again_queues_one() -> None:
    account = due()
    MailAccount.objects.update(next_sync_at=None)
    for _ in range(3):
        sync_soon(account)
    assert queued() == [(Job.SYNC, (account.pk,))]


def test_a_sync_of_an_account_disconnected_meanwhile_ends_quietly(caplog: pytest.LogCaptureFixture) -> None:
    tasks.sync(123456)
    assert not caplog.records


def test_nothing_of_a_failure_gets_out_of_a_task(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "the-" + "s3cret"

    def fail(account_id: int) -> None:
        raise RuntimeError(secret)

    monkeypatch.setattr(poll, "sync_account", fail)
    tasks.sync(5)
    assert "RuntimeError" in caplog.text
    assert secret not in caplog.text


def test_a_failed_sync_leaves_only_a_code_on_the_account() -> None:
    account = make_account(imap_host="127.0.0.1")
    make_credential(account, "the-s3cret")
    tasks.sync(account.pk)
    account.refresh_from_db()
    assert account.status_code == "host_not_allowed"
    assert "the-s3cret" not in account.status_message
    assert account.lease_owner == account.stage == ""
