"""An account that needs somebody tells its owner: once for each incident, whoever works on it and however often."""

from __future__ import annotations

import smtplib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ

from mailaccounts import tasks
from mailaccounts.errors import (
    AdminApprovalNeeded,
    ConnectionTimedOut,
    GrantRevoked,
    MailAccountsError,
    MailboxFull,
    PasswordRejected,
    ProviderUnavailable,
)
from mailaccounts.hooks import Hooks
from mailaccounts.models import AccountStatus, AuditAction, AuditEntry, MailAccount
from mailaccounts.queue import Job
from mailaccounts.services.limits import lease
from mailaccounts.services.syncing.outcome import active_credential_id, record_failure, record_success
from mailaccounts.services.telling import notices
from tests.app.builders import make_account, make_credential

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db(transaction=True)

REVOKED = GrantRevoked(provider="Microsoft")
NETWORK = ConnectionTimedOut(host="imap.example.test")


@pytest.fixture
def account() -> MailAccount:
    """An account that is up to date, of somebody with an address."""
    account = make_credential(make_account(status="ok", last_sync_at=timezone.now())).account
    account.owner.email = "anna@work.test"
    account.owner.save()
    return account


def end_sync(account: MailAccount, error: MailAccountsError | None = None) -> None:
    """A worker takes the account and finds this."""
    held = lease.claim(account)
    assert held is not None
    if error:
        record_failure(held, error, credential_id=active_credential_id(account))
    else:
        record_success(held, account, finished=True)


def work() -> None:
    """A worker does what is queued."""
    for each in list(OrmQ.objects.order_by("pk")):
        if each.task["func"] == Job.NOTIFY:
            tasks.notify(*each.task["args"])
        each.delete()


@pytest.fixture
def silent(settings: SettingsWrapper) -> Iterator[None]:
    """The CRM's own mail server takes connections and says nothing; in the end it is gone."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = listening.getsockname()
        settings.EMAIL_TIMEOUT = None  # as it is unless a host sets it
        gone = threading.Timer(8, listening.close)
        gone.start()
        yield
        gone.cancel()


@pytest.mark.usefixtures("silent")
def test_a_mail_server_that_says_nothing_holds_no_worker_up_and_swallows_no_notice(
    account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that waited for it would be killed, and the notice that it had taken lost."""
    monkeypatch.setattr("mailaccounts.hooks.MAIL_SECONDS", 0.3)
    end_sync(account, REVOKED)
    began = time.monotonic()
    work()
    assert time.monotonic() - began < 5
    account.refresh_from_db()
    assert account.notice_due


def test_a_refused_sign_in_is_told_to_the_owner(account: MailAccount, settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SITE_URL": "https://crm.example.test/"}
    end_sync(account, REVOKED)
    work()
    (notice,) = mail.outbox
    assert notice.to == ["anna@work.test"]
    assert notice.subject == f"{account.address} needs you to sign in again"
    assert "The permission given at Microsoft has ended. Reconnect the account." in notice.body
    assert "https://crm.example.test/settings/email-accounts/go/" in notice.body


def test_without_the_sites_address_the_page_is_named_in_words(account: MailAccount) -> None:
    end_sync(account, REVOKED)
    work()
    assert "Settings → Email accounts" in mail.outbox[0].body
    assert "http" not in mail.outbox[0].body


def test_what_only_an_administrator_can_do_is_told_as_such(account: MailAccount) -> None:
    end_sync(account, AdminApprovalNeeded(provider="Microsoft"))
    work()
    (notice,) = mail.outbox
    assert notice.subject == f"{account.address} needs its administrator"
    assert "Ask the administrator of your mail for approval." in notice.body


@pytest.mark.parametrize(
    "error", [NETWORK, ProviderUnavailable(provider="Microsoft"), MailboxFull(mailbox="x"), MailAccountsError()]
)
def test_nobody_is_told_of_what_passes(account: MailAccount, error: MailAccountsError) -> None:
    for _ in range(12):
        end_sync(account, error)
        work()
        tasks.tick()
    account.refresh_from_db()
    assert account.status == AccountStatus.WAITING
    assert mail.outbox == []


def test_it_is_told_once_however_often_it_is_found_again(account: MailAccount) -> None:
    for _ in range(4):
        end_sync(account, REVOKED)
        work()
        tasks.tick()
    end_sync(account, AdminApprovalNeeded(provider="Microsoft"))
    work()
    end_sync(account, PasswordRejected(host="imap.example.test"))
    work()
    assert len(mail.outbox) == 1


def test_trouble_with_the_network_in_between_is_no_recovery(account: MailAccount) -> None:
    end_sync(account, REVOKED)
    work()
    end_sync(account, NETWORK)
    account.refresh_from_db()
    assert (account.status, account.status_code) == (AccountStatus.NEEDS_OWNER, "grant_revoked")
    assert account.status_message == REVOKED.message
    end_sync(account, REVOKED)
    work()
    assert len(mail.outbox) == 1


def test_after_a_recovery_it_is_told_again(account: MailAccount) -> None:
    for told in (1, 2, 3):
        end_sync(account, REVOKED)
        work()
        assert len(mail.outbox) == told
        end_sync(account)


def test_of_many_workers_one_tells(account: MailAccount) -> None:
    end_sync(account, REVOKED)
    start, sent = threading.Barrier(6), []

    def worker() -> None:
        start.wait()
        sent.append(notices.notify(account.pk))
        connection.close()

    threads = [threading.Thread(target=worker) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sent) == [False] * 5 + [True]
    assert len(mail.outbox) == 1


def test_two_syncs_that_began_when_all_was_well_tell_once(account: MailAccount) -> None:
    """The second has read the account before the first one failed."""
    early = MailAccount.objects.get(pk=account.pk)
    end_sync(account, REVOKED)
    end_sync(early, REVOKED)
    work()
    assert len(mail.outbox) == 1


def test_a_queue_that_is_down_is_made_up_for_by_the_tick(
    account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise ConnectionError("no broker")

    with monkeypatch.context() as patch:
        patch.setattr("mailaccounts.queue.async_task", refuse)
        end_sync(account, REVOKED)
    assert OrmQ.objects.count() == 0
    tasks.tick()
    tasks.tick()
    assert len(mail.outbox) == 1


def test_a_mail_server_that_is_down_is_tried_again(
    account: MailAccount, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def down(*args: object, **options: object) -> None:
        raise smtplib.SMTPServerDisconnected("secret words of a server")

    end_sync(account, REVOKED)
    with monkeypatch.context() as patch:
        patch.setattr("mailaccounts.hooks.send_mail", down)
        work()
        tasks.tick()
    assert mail.outbox == []
    assert "SMTPServerDisconnected" in caplog.text and "secret words" not in caplog.text
    tasks.tick()
    tasks.tick()
    assert len(mail.outbox) == 1


def test_who_has_recovered_before_it_was_sent_is_not_told(account: MailAccount) -> None:
    end_sync(account, REVOKED)
    end_sync(account)
    work()
    tasks.tick()
    assert mail.outbox == []


def test_a_disconnected_account_tells_nobody(account: MailAccount) -> None:
    from mailaccounts.services.connecting.disconnect import disconnect

    end_sync(account, REVOKED)
    disconnect(account, erase_mail=False, actor=account.owner)
    work()
    tasks.tick()
    assert mail.outbox == []


def test_an_owner_without_an_address_is_no_trouble(account: MailAccount) -> None:
    account.owner.email = ""
    account.owner.save()
    end_sync(account, REVOKED)
    work()
    tasks.tick()
    assert mail.outbox == []
    account.refresh_from_db()
    assert not account.notice_due


class Bell(Hooks):
    """A host that tells people in its own way."""

    rung: list[tuple[int, str, str]] = []

    def notify_owner(self, account: Any, *, subject: str, text: str) -> None:
        self.rung.append((account.pk, subject, text))


def test_a_host_may_tell_in_its_own_way(account: MailAccount, settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "HOOKS": f"{__name__}.Bell"}
    Bell.rung.clear()
    end_sync(account, REVOKED)
    work()
    assert [(pk, subject) for pk, subject, _ in Bell.rung] == [
        (account.pk, f"{account.address} needs you to sign in again")
    ]
    assert mail.outbox == []


def test_a_permission_that_ended_is_noted_once(account: MailAccount) -> None:
    for error in (NETWORK, REVOKED, REVOKED, NETWORK, REVOKED):
        end_sync(account, error)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.account, entry.owner) == (AuditAction.REFRESH_FAILED, account.pk, account.owner)
    assert entry.facts == {"code": "grant_revoked"}
    assert entry.actor is None


def test_a_refused_password_is_no_permission_that_ended(account: MailAccount) -> None:
    end_sync(account, PasswordRejected(host="imap.example.test"))
    assert not AuditEntry.objects.exists()
