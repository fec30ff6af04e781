"""A broker that loses every job it is given loses nothing: what is to be done is in the database."""

from __future__ import annotations

import multiprocessing
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django_q import worker
from django_q.models import OrmQ, Task
from django_q.tasks import async_task

from mailaccounts import tasks
from mailaccounts.models import (
    HANDING_OVER,
    AccountStatus,
    Act,
    Attachment,
    DirectoryChange,
    Enclosed,
    Erasing,
    Folder,
    Grant,
    GrantStatus,
    MailAccount,
    MailAction,
    MigrationRun,
    MigrationStep,
    Outgoing,
    TenantAccess,
    Why,
)
from mailaccounts.queue import Job
from mailaccounts.rules.migration_states import MigrationState
from mailaccounts.services.connecting.disconnect import Reason, cut
from mailaccounts.services.people import directory, forgetting
from mailaccounts.services.sending import originals
from mailaccounts.services.syncing import preview
from mailaccounts.services.syncing.due import sync_soon
from tests.app.builders import make_account, make_client, make_credential, make_grant, make_message
from tests.outgoing import queued as make_queued

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.django_db(transaction=True)

LATER = timedelta(minutes=20)
CLOCKS = (
    (MailAccount, "next_sync_at"),
    (Outgoing, "next_at"),
    (MigrationStep, "next_at"),
    (MailAction, "next_at"),
    (Erasing, "worked_until"),
    (DirectoryChange, "worked_until"),
)


def ready(**columns: Any) -> MailAccount:
    later = timezone.now() + timedelta(hours=5)
    account = make_account(**{"status": AccountStatus.OK, "next_sync_at": later, **columns})
    make_credential(account)
    return account


def jobs() -> set[tuple[str, tuple[int, ...]]]:
    return {(each.task["func"], each.task["args"]) for each in OrmQ.objects.all()}


def time_passes() -> None:
    for model, column in CLOCKS:
        model.objects.filter(**{f"{column}__isnull": False}).update(**{column: F(column) - LATER})


# --- what somebody asks for, and how it is known that it gets done ----------------------------------------------


def sync() -> tuple[int, ...]:
    account = ready()
    sync_soon(account)
    return (account.pk,)


def count_ahead() -> tuple[int, ...]:
    account = ready(begun=False, status=AccountStatus.NEW, next_sync_at=None)
    assert preview.ask(account, since=None)
    return (account.pk,)


def send() -> tuple[int, ...]:
    return (make_queued(ready(), "somebody@example.test").pk,)


def pass_on() -> tuple[int, ...]:
    account = ready()
    original = make_message(account)
    Attachment.objects.create(message=original, position=0, section="2", name="a.pdf", content_type="a/b", size=9)
    draft = Outgoing.objects.create(account=account, author=account.owner, message_id="1@x.test", forwards=original)
    originals.await_all(draft)
    assert Enclosed.objects.get().awaited
    return (draft.pk,)


def move_account() -> tuple[int, ...]:
    return _step(MigrationState.CONSENTED)


def take_step() -> tuple[int, ...]:
    return _step(MigrationState.CHOSEN)


def _step(state: MigrationState) -> tuple[int, ...]:
    account = ready()
    run = MigrationRun.objects.create(to="xoauth2", client=make_client(), by_owner=state != MigrationState.CHOSEN)
    MigrationStep.objects.create(
        run=run, account=account, address=account.address, state=state, next_at=timezone.now()
    )
    return (account.pk,)


def act() -> tuple[int, ...]:
    account = ready()
    folder = Folder.objects.create(account=account, name="INBOX")
    MailAction.objects.create(
        request=uuid.uuid4(), account=account, asked_by=account.owner, act=Act.READ, folder=folder
    )
    return (account.pk,)


def erase() -> tuple[int, ...]:
    account = ready()
    assert cut(account.pk, reason=Reason.ASKED, erase_mail=True)
    return (account.pk,)


def forget() -> tuple[int, ...]:
    return (forgetting.begin(["a@b.test"], why=Why.PERSON, asked_by=None).pk,)


def retell() -> tuple[int, ...]:
    with transaction.atomic():
        change = directory.removed(["a@b.test"])
    assert change is not None
    return (change.pk,)


def hand_over() -> tuple[int, ...]:
    account = ready(status=AccountStatus.DISCONNECTED, status_code=HANDING_OVER, next_sync_at=timezone.now())
    return (account.pk,)


def compare() -> tuple[int, ...]:
    return (ready().pk,)


def canaries() -> tuple[int, ...]:
    TenantAccess.objects.create(client=make_client(), tenant="t", canary="canary@example.test")
    return ()


@pytest.mark.parametrize(
    ("job", "ask"),
    [
        (Job.SYNC, sync),
        (Job.PREVIEW, count_ahead),
        (Job.SEND, send),
        (Job.ENCLOSE, pass_on),
        (Job.MOVE, move_account),
        (Job.CAMPAIGN_STEP, take_step),
        (Job.ACT, act),
        (Job.ERASE, erase),
        (Job.HAND_OVER, hand_over),
        (Job.FORGET, forget),
        (Job.RETELL, retell),
        (Job.COMPARE, compare),
        (Job.CANARIES, canaries),
    ],
)
def test_a_job_that_the_broker_lost_is_queued_again(job: Job, ask: Callable[[], tuple[int, ...]]) -> None:
    ids = ask()
    for _ in range(2):  # it loses it once more
        OrmQ.objects.all().delete()
        time_passes()
        cache.delete("mailaccounts:canaries")
        tasks.tick()
        tasks.day()
        assert (job, ids) in jobs()


def test_a_file_that_costs_worker_after_worker_is_given_up_and_the_draft_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (draft_id,) = pass_on()

    def killed(_: Attachment) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mailaccounts.services.inbox.attached.read", killed)
    for _ in range(originals.MOST_LOST):
        OrmQ.objects.all().delete()
        time_passes()
        tasks.tick()
        assert (Job.ENCLOSE, (draft_id,)) in jobs()
        with pytest.raises(KeyboardInterrupt):
            originals.fetch(draft_id)
    originals.fetch(draft_id)
    assert Enclosed.objects.get().problem.startswith("Fetching this file broke off again and again.")
    OrmQ.objects.all().delete()
    time_passes()
    tasks.tick()
    assert (Job.ENCLOSE, (draft_id,)) not in jobs()
    originals.try_again(Outgoing.objects.get())
    with pytest.raises(KeyboardInterrupt):  # it is tried indeed
        originals.fetch(draft_id)


def test_what_needs_no_job_is_done_by_the_tick_or_within_a_day() -> None:
    """NOTIFY, GIVE_BACK, KEEP; CAMPAIGNS, TELL_OPENED and WEBHOOK are a tick's work, too."""
    needy = ready(status=AccountStatus.NEEDS_OWNER, notice_due=True, next_sync_at=None)
    needy.owner.email = "anna@work.test"
    needy.owner.save()
    departed = ready()
    type(departed.owner).objects.filter(pk=departed.owner.pk).update(is_active=False)
    grant = make_grant(status=GrantStatus.ENDED, expires_at=timezone.now() - timedelta(days=2))
    forgetful = ready(keep_days=30)
    make_message(forgetful, received_at=timezone.now() - timedelta(days=31))
    tasks.tick()
    tasks.day()
    assert len(mail.outbox) == 1
    departed.refresh_from_db()
    assert departed.status == AccountStatus.DISCONNECTED
    assert not Grant.objects.filter(pk=grant.pk).exists()
    assert not forgetful.messages.exists()


def test_every_job_is_among_these() -> None:
    """A new one has to say how it is found again when it is lost."""
    asked = {Job.SYNC, Job.PREVIEW, Job.SEND, Job.ENCLOSE, Job.MOVE, Job.CAMPAIGN_STEP, Job.ACT, Job.ERASE}
    asked |= {Job.HAND_OVER, Job.FORGET, Job.RETELL, Job.COMPARE, Job.CANARIES}
    ticked = {Job.WEBHOOK, Job.NOTIFY, Job.TELL_OPENED, Job.GIVE_BACK, Job.KEEP, Job.CAMPAIGNS}
    assert set(Job) == asked | ticked | {Job.TICK, Job.DAY}


def test_a_worker_of_an_older_version_leaves_a_job_that_it_does_not_know_to_a_newer_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    message_id = make_queued(ready(), "somebody@example.test").pk
    with monkeypatch.context() as older:
        older.delattr("mailaccounts.tasks.send")
        result = do_the_only_job()
    assert result["success"] and result["result"] is None
    assert not Task.objects.exists()
    (said,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert said == "this version doesn't know the job mailaccounts.tasks.send: a worker of the other one will do it"
    time_passes()
    tasks.tick()
    assert (Job.SEND, (message_id,)) in jobs()


@pytest.mark.parametrize("job", ["mailaccounts.tasks.of_the_version_before", Job.SEND])
def test_a_job_that_another_version_queued_by_another_name_or_with_more_ids_leaves_no_failure(job: str) -> None:
    async_task(str(job), 1, 2, save=False)
    assert do_the_only_job()["success"]


def do_the_only_job() -> dict[str, Any]:
    """What a worker makes of it."""
    (row,) = OrmQ.objects.all()
    row.delete()
    todo, done = multiprocessing.Queue(), multiprocessing.Queue()
    todo.put(row.task)
    todo.put("STOP")
    worker.worker(todo, done, multiprocessing.Value("f", -1))
    result: dict[str, Any] = done.get(timeout=30)
    return result
