"""A mailbox that is disconnected while a sync runs: nothing of it comes back, and nothing fails loudly."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

from crm.models import TimelineEntry
from mailaccounts import tasks
from mailaccounts.mail.imap import ImapSession
from mailaccounts.models import AccountStatus, Credential, Folder, Grant, MailAccount, Message
from mailaccounts.services.connecting.disconnect import disconnect
from mailaccounts.services.storing import folders
from mailaccounts.services.syncing import bodies, examine, store, sync
from mailaccounts.services.syncing.sync import sync_account
from tests.crm.builders import make_contact
from tests.crm_process import wait_until
from tests.letters import CONTACT, letter
from tests.sandbox_crm import switch_by_consent

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox_fixtures import SandboxMailbox

BEFORE_SIGNING_IN = (sync.login, "open_with")
BEFORE_THE_FOLDERS = (ImapSession, "folders")
BEFORE_OUR_FOLDERS = (folders, "remember")
BEFORE_A_FOLDER_IS_OPENED = (ImapSession, "select")
BEFORE_THE_BODIES = (bodies, "parse_message")
BEFORE_MAIL_IS_STORED = (examine, "store_batch")
BEFORE_IT_IS_ANNOUNCED = (examine, "announce")
BEFORE_ITS_END = (sync.outcome, "record_success")


@pytest.fixture
def full(account: MailAccount, mailbox: SandboxMailbox) -> MailAccount:
    """An account with mail of a contact on the server, in two folders, none of it stored yet."""
    make_contact(CONTACT)
    for number in range(4):
        mailbox.append(letter(), folder="INBOX" if number % 2 else "Projects")
    return account


@pytest.mark.parametrize("erase_mail", [False, True], ids=["kept", "erased"])
@pytest.mark.parametrize(
    "at",
    [
        BEFORE_SIGNING_IN,
        BEFORE_THE_FOLDERS,
        BEFORE_OUR_FOLDERS,
        BEFORE_A_FOLDER_IS_OPENED,
        BEFORE_THE_BODIES,
        BEFORE_MAIL_IS_STORED,
        BEFORE_IT_IS_ANNOUNCED,
        BEFORE_ITS_END,
    ],
    ids=lambda at: at[1],
)
def test_a_sync_under_way_brings_nothing_back(
    full: MailAccount,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    at: tuple[Any, str],
    erase_mail: bool,
) -> None:
    original: Callable[..., Any] = getattr(*at)
    done: list[int] = []

    def meanwhile(*args: Any, **options: Any) -> Any:
        if not done:
            done.append(Message.objects.count())
            disconnect(MailAccount.objects.get(pk=full.pk), erase_mail=erase_mail, actor=full.owner)
        return original(*args, **options)

    monkeypatch.setattr(*at, meanwhile)
    report = sync_account(full.pk)
    assert done, "the sync came past this point"
    assert report.error is not None and report.error.code == "lease_lost"
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING] == []
    assert not Credential.objects.exists()
    tasks.sync(full.pk)
    if erase_mail:
        assert not (MailAccount.objects.exists() or Folder.objects.exists() or Message.objects.exists())
        assert not TimelineEntry.objects.exists()
    else:
        now = MailAccount.objects.get()
        assert (now.status, now.status_code, now.lease_owner, now.next_sync_at) == ("disconnected", "", "", None)
        assert Message.objects.count() == done[0]


LONG = "x" * 2000


def fetches(mailbox: SandboxMailbox) -> int:
    return sum(" FETCH " in command for log in mailbox.rawlogs() for command in log.commands)


def test_once_its_user_is_deactivated_a_sync_fetches_nothing_more_and_hangs_up(
    account: MailAccount, mailbox: SandboxMailbox, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """Of messages that are fetched one by one: what the server says it was asked for."""
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "BODY_BATCH_BYTES": 1000}
    make_contact(CONTACT)
    for _ in range(5):
        mailbox.append(letter(text=LONG))
    original, before = bodies.Bodies._fetch_long, []

    def meanwhile(*args: Any, **options: Any) -> Any:
        fetched = original(*args, **options)
        if not before:
            account.owner.is_active = False
            account.owner.save()
            before.append((fetches(mailbox), Message.objects.count()))
        return fetched

    monkeypatch.setattr(bodies.Bodies, "_fetch_long", meanwhile)
    report = sync_account(account.pk)
    assert report.error is not None and report.error.code == "lease_lost"
    assert before == [(fetches(mailbox), Message.objects.count())]
    (log,) = mailbox.rawlogs()
    assert log.commands[-1].endswith("LOGOUT")
    assert not Credential.objects.exists()


def test_a_sync_that_is_about_to_begin_finds_it_disconnected(
    full: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has read the account before, and claims it after."""
    original = sync.lease.claim

    def meanwhile(account: MailAccount, **options: Any) -> Any:
        monkeypatch.undo()
        disconnect(MailAccount.objects.get(pk=account.pk), erase_mail=False, actor=full.owner)
        return original(account, **options)

    monkeypatch.setattr(sync.lease, "claim", meanwhile)
    report = sync_account(full.pk)
    assert report.error is not None and report.error.code == "account_busy"
    assert MailAccount.objects.get().status == AccountStatus.DISCONNECTED


def test_a_sync_whose_token_is_refused_after_that_blames_nobody(
    full: MailAccount, mailbox: SandboxMailbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The grant has been given back, and the mail server says no."""
    switch_by_consent(full, mailbox)
    original = ImapSession.open.__func__  # type: ignore[attr-defined]  # the function beneath the class method

    def meanwhile(cls: type[ImapSession], *args: Any, **options: Any) -> Any:
        if Credential.objects.exists():
            disconnect(MailAccount.objects.get(pk=full.pk), erase_mail=False, actor=full.owner)
        return original(cls, *args, **options)

    monkeypatch.setattr(ImapSession, "open", classmethod(meanwhile))
    report = sync_account(full.pk)
    assert report.error is not None and report.error.code == "lease_lost"
    now = MailAccount.objects.get()
    assert (now.status, now.status_code, now.notice_due) == (AccountStatus.DISCONNECTED, "", False)
    assert not Grant.objects.exists()
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING] == []


def somebody_waits_for_us() -> bool:
    """Whether another connection waits for what our transaction has locked."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks us JOIN pg_locks them USING (transactionid) "
            "WHERE us.pid = pg_backend_pid() AND us.granted AND NOT them.granted)"
        )
        return bool(cursor.fetchone()[0])


def test_a_batch_that_is_being_stored_is_stored_before_it_is_counted(
    full: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disconnecting waits for the transaction that holds the account's row."""
    started, original = threading.Event(), store.summaries.refresh_of
    receipts = []

    def slow(*args: Any) -> None:
        started.set()
        wait_until(somebody_waits_for_us, what="the disconnecting waits")
        original(*args)

    def other_window() -> None:
        started.wait(30)
        receipts.append(disconnect(MailAccount.objects.get(pk=full.pk), erase_mail=False, actor=None))
        connection.close()

    other = threading.Thread(target=other_window)
    other.start()
    with monkeypatch.context() as patch:
        patch.setattr(store.summaries, "refresh_of", slow)
        sync_account(full.pk)
    other.join()
    assert receipts[0].facts["messages"] == Message.objects.count() == 2
