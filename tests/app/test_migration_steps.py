"""The steps of a migration: one way at a time, trouble that passes and trouble that doesn't, mailboxes that differ."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from mailaccounts import tasks
from mailaccounts.crypto import Secret
from mailaccounts.errors import AccountChanged, AlreadyMoving, MailboxDiffers, NetworkError
from mailaccounts.models import (
    Credential,
    Folder,
    Grant,
    MailAccount,
    MessageUid,
    MigrationRun,
    MigrationStep,
)
from mailaccounts.rules.migration_states import MigrationState
from mailaccounts.services.connecting.disconnect import disconnect
from mailaccounts.services.connecting.wish import Purpose, Wish
from mailaccounts.services.moving import migrate, snapshot, steps
from mailaccounts.services.registering import clients
from mailaccounts.services.syncing.sync import sync_account
from tests.app.builders import make_message, make_user
from tests.letters import letter
from tests.moving import consented
from tests.sandbox_crm import connect_by_password

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(anna: SandboxMailbox) -> MailAccount:
    """Anna's account, connected with her password."""
    return connect_by_password(anna, make_user())


def test_a_proof_that_is_old_is_given_anew_before_the_switch(account: MailAccount, anna: SandboxMailbox) -> None:
    step = consented(account, anna)
    migrate.prove(step)
    assert step.state == MigrationState.VERIFIED
    long_ago = timezone.now() - timedelta(hours=5)
    MigrationStep.objects.update(verified_at=long_ago)
    step.refresh_from_db()
    migrate.go_on(step)
    assert step.state == MigrationState.SWITCHED
    assert step.verified_at > long_ago + timedelta(hours=4)


def test_another_mailbox_is_told_from_the_one_in_use(
    account: MailAccount, anna: SandboxMailbox, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    """The old sign-in and the new one are let in, but to different mailboxes."""
    other = new_mailbox()
    for mailbox in (anna, other):
        for _ in range(3):
            mailbox.append(letter())
    credential = Credential.objects.get()
    credential.username, credential.secret = other.address, Secret(other.password)
    credential.save()
    wish = Wish.of(account, Purpose.SWITCH)
    wish = replace(wish, draft=replace(wish.draft, username=anna.address))
    step = consented(account, anna, wish)
    with pytest.raises(MailboxDiffers):
        migrate.go_on(step)
    assert (step.state, step.code) == (MigrationState.FAILED, "mailbox_differs")
    assert account.credentials.get().backend == "password"
    assert not Grant.objects.exists()


def test_with_a_dead_password_another_mailbox_is_told_from_what_is_stored(
    account: MailAccount, anna: SandboxMailbox
) -> None:
    """Neither the numbering of before nor the messages that are stored are those of the new sign-in's inbox."""
    credential = Credential.objects.get()
    credential.secret = Secret("changed-elsewhere")
    credential.save()
    folder = Folder.objects.create(account=account, name="INBOX", role="inbox", uidvalidity=7, last_uid=42)
    for uid in range(1, 4):
        MessageUid.objects.create(folder=folder, message=make_message(account), uidvalidity=7, uid=uid)
    with pytest.raises(MailboxDiffers) as differs:
        migrate.go_on(consented(account, anna))
    assert "of 3 messages it has 0" in differs.value.message


def test_an_account_has_one_way_at_a_time(account: MailAccount, anna: SandboxMailbox) -> None:
    run = MigrationRun.objects.create(to="xoauth2", client=clients.registered("microsoft"))
    step = steps.begin(account, run)
    with pytest.raises(AlreadyMoving):
        steps.begin(account, run)
    began, step = step, consented(account, anna)
    assert step == began, "its owner goes on with what an administrator began"
    assert migrate.go_on(step).state == MigrationState.SWITCHED
    run.refresh_from_db()
    assert run.finished_at


def test_a_state_is_left_once(account: MailAccount, anna: SandboxMailbox) -> None:
    step = consented(account, anna)
    stale = MigrationStep.objects.get()
    assert steps.cancel(step)
    assert not steps.cancel(stale)
    with pytest.raises(ValueError, match="can't follow"):
        steps.advance(stale, MigrationState.SWITCHED)


def test_a_cancel_during_the_proof_wins(
    account: MailAccount, anna: SandboxMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, take = consented(account, anna), snapshot.take

    def cancelled_meanwhile(*args: Any, **kwargs: Any) -> Any:
        assert steps.cancel(MigrationStep.objects.get())
        return take(*args, **kwargs)

    monkeypatch.setattr(snapshot, "take", cancelled_meanwhile)
    assert migrate.go_on(step).state == MigrationState.CANCELLED
    assert account.credentials.get().backend == "password"
    assert not Grant.objects.exists()


@pytest.mark.parametrize("moment", ["take", "look"])
def test_an_account_that_is_disconnected_during_the_proof_stays_disconnected(
    account: MailAccount, anna: SandboxMailbox, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    step, original = consented(account, anna), getattr(snapshot, moment)

    def gone_meanwhile(*args: Any, **kwargs: Any) -> Any:
        if MailAccount.objects.get().credentials.exists():
            disconnect(MailAccount.objects.get(), erase_mail=False, actor=None)
        return original(*args, **kwargs)

    monkeypatch.setattr(snapshot, moment, gone_meanwhile)
    with pytest.raises(AccountChanged):
        migrate.go_on(step)
    assert step.state == MigrationState.FAILED
    assert not Credential.objects.exists()
    tasks.tick()
    step.refresh_from_db()
    assert step.state == MigrationState.CANCELLED


def test_an_account_that_is_deleted_during_the_proof_is_gone(
    account: MailAccount, anna: SandboxMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner's user was deleted, say."""
    step, take = consented(account, anna), snapshot.take

    def gone_meanwhile(*args: Any, **kwargs: Any) -> Any:
        MailAccount.objects.all().delete()
        return take(*args, **kwargs)

    monkeypatch.setattr(snapshot, "take", gone_meanwhile)
    with pytest.raises(AccountChanged):
        migrate.go_on(step)
    assert (step.state, step.account) == (MigrationState.FAILED, None)
    assert not Credential.objects.exists()


def test_what_takes_too_much_room_in_a_snapshot_is_counted_only(
    account: MailAccount, anna: SandboxMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("INBOX", "Projects"):
        anna.append(letter(), folder)
    monkeypatch.setattr(snapshot, "MOST_TEXT_IN_ALL", 1)
    step = migrate.go_on(consented(account, anna))
    known = {each["name"]: each["uids"] for each in step.snapshot["folders"]}
    assert (known["INBOX"], known["Projects"]) == ("1", None)
    sync_account(account.pk)
    step.refresh_from_db()
    assert (step.certificate["expected"], step.certificate["present"], step.certificate["lost"]) == (2, 2, 0)
    assert {each["name"]: each["counted"] for each in step.certificate["folders"]}["Projects"]


def test_trouble_that_passes_is_tried_again_by_the_tick(account: MailAccount, anna: SandboxMailbox) -> None:
    step = consented(account, anna)
    anna.sandbox.idp.faults.fail(status=500, times=20, endpoint="introspect")
    for attempts in (1, 2):
        with pytest.raises(NetworkError):
            migrate.go_on(step)
        assert (step.state, step.attempts) == (MigrationState.CONSENTED, attempts)
        assert step.message
    anna.sandbox.idp.faults.reset()
    OrmQ.objects.all().delete()
    tasks.tick()
    assert not jobs("move"), "its time hasn't come"
    MigrationStep.objects.update(next_at=timezone.now())
    tasks.tick()
    tasks.tick()
    assert jobs("move") == [(account.pk,)], "a second tick queues it no second time"
    tasks.move(account.pk)
    step.refresh_from_db()
    assert (step.state, step.code, step.message) == (MigrationState.SWITCHED, "", "")


def jobs(name: str) -> list[tuple[int, ...]]:
    return [job.task["args"] for job in OrmQ.objects.all() if job.task["func"].endswith(f".{name}")]
