"""What administrators do with accounts: a pause that everything respects and its owner sees, and its end."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ

from mailaccounts import tasks
from mailaccounts.models import ERASING, AccountStatus, AuditEntry, MailAccount, Preview
from mailaccounts.queue import Job
from mailaccounts.services.checking import sample
from mailaccounts.services.running import operate
from mailaccounts.services.syncing import due, preview
from mailaccounts.services.syncing.sync import sync_account
from mailaccounts.services.watching import watch_claims
from tests.app.builders import make_account, make_credential, make_user

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db(transaction=True)


def ready(**columns: Any) -> MailAccount:
    """An account that is due, healthy, and could be watched."""
    past = timezone.now() - timedelta(minutes=1)
    return make_credential(make_account(**{"status": "ok", "next_sync_at": past, **columns})).account


def of(*accounts: MailAccount) -> Any:
    return MailAccount.objects.filter(pk__in=[each.pk for each in accounts])


def jobs(job: Job) -> list[tuple[int, ...]]:
    return [each.task["args"] for each in OrmQ.objects.order_by("pk") if each.task["func"] == job]


def actions(account: MailAccount) -> list[tuple[str, Any]]:
    entries = AuditEntry.objects.filter(account=account.pk).order_by("at")
    return [(entry.action, entry.actor) for entry in entries]


def test_nothing_is_read_from_a_paused_account() -> None:
    boss, paused, other = make_user(), ready(), ready()
    assert operate.pause(of(paused), actor=boss) == 1
    due.sync_soon(MailAccount.objects.get(pk=paused.pk))
    due.go_on(paused.pk)
    assert due.enqueue_due() == 1
    assert jobs(Job.SYNC) == [(other.pk,)]
    watched = watch_claims.claim("w", most=10, except_hosts=(), except_ids=())
    assert [each.pk for each in watched] == [other.pk]
    assert sample.enqueue_sample() == 1
    report = sync_account(paused.pk)
    assert report.error is not None
    assert report.error.code == "account_paused"
    assert actions(paused) == [("paused", boss)]


def test_nothing_is_counted_ahead_of_the_first_sync_either() -> None:
    account = ready(begun=False, paused_at=timezone.now())
    assert preview.ask(account, since=None)
    preview.count(account.pk)
    told = Preview.objects.get(account=account)
    assert told.ended == "account_paused"
    assert "until an administrator resumes it" in told.problem


def test_a_watcher_lets_go_of_an_account_that_is_paused() -> None:
    account = ready()
    watch_claims.claim("w", most=1, except_hosts=(), except_ids=())
    operate.pause(of(account), actor=None)
    assert watch_claims.held("w") == {}


def test_an_account_that_is_resumed_is_due_at_once() -> None:
    boss, account = make_user(), ready(next_sync_at=timezone.now() + timedelta(hours=1))
    operate.pause(of(account), actor=boss)
    assert operate.pause(of(account), actor=boss) == 0  # a second time tells nothing new
    assert operate.resume(of(account), actor=boss) == 1
    assert jobs(Job.TICK) == [()]
    tasks.tick()
    assert jobs(Job.SYNC) == [(account.pk,)]
    assert actions(account) == [("paused", boss), ("resumed", boss)]


def test_a_paused_account_can_still_be_disconnected_and_erased() -> None:
    account = ready(paused_at=timezone.now())
    of(account).update(status=AccountStatus.DISCONNECTED, status_code=ERASING)
    assert due.enqueue_due() == 1
    assert jobs(Job.ERASE) == [(account.pk,)]


def test_many_accounts_take_as_many_statements_as_one() -> None:
    boss = make_user()
    accounts = [ready() for _ in range(30)]
    with CaptureQueriesContext(
        connection,
    ) as one:
        operate.pause(of(accounts[0]), actor=boss)
    with CaptureQueriesContext(connection) as many:
        assert operate.pause(of(*accounts), actor=boss) == 29
    assert len(many) == len(one)
    with CaptureQueriesContext(connection) as syncing:
        assert operate.sync_soon(of(*accounts)) == 0  # they are paused
    assert len(syncing) <= 2  # with the job in the queue


def test_owners_are_asked_once_more_where_they_are_needed(settings: Any) -> None:
    boss, owner = make_user(), make_user("anna")
    owner.email = "anna@people.test"
    owner.save()
    needy, fine = ready(owner=owner, status="needs_owner", status_message="Sign in again."), ready()
    assert operate.ask_owners(of(needy, fine), actor=boss) == 1
    tasks.tick()
    assert [message.to for message in mail.outbox] == [["anna@people.test"]]
    tasks.tick()
    assert len(mail.outbox) == 1
    assert actions(needy) == [("asked", boss)]
    assert actions(fine) == []


def test_the_owner_sees_the_pause_and_can_not_end_it(client: Client) -> None:
    account = ready(paused_at=timezone.now())
    client.force_login(account.owner)
    page = client.get(f"/settings/email-accounts/{account.pk}/").content.decode()
    assert "An administrator paused this mailbox" in page
    assert "Sync now" not in page
    assert "Waiting for a worker" not in page
    assert "Paused" in client.get("/settings/email-accounts/").content.decode()
    client.post(f"/settings/email-accounts/{account.pk}/sync/")
    assert jobs(Job.SYNC) == []
    assert MailAccount.objects.get(pk=account.pk).paused_at is not None
