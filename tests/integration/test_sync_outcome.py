"""How an account is doing after a sync, and what helps, judged against real servers."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import DatabaseError
from django.utils import timezone

from mailaccounts.crypto import Secret
from mailaccounts.errors import MailboxNotConnected, Throttled
from mailaccounts.mail.imap import ImapSession
from mailaccounts.models import AccountStatus, Credential, OAuthClient
from mailaccounts.services.syncing import examine
from mailaccounts.services.syncing.sync import sync_account
from mailaccounts.signals import account_status_changed
from tests.crm.builders import make_contact
from tests.letters import CONTACT, letter
from tests.sandbox_crm import switch_by_consent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailaccounts.models import MailAccount
    from mailaccounts.services.limits import lease
    from mailaccounts.services.syncing.report import SyncReport
    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox


@pytest.fixture
def changes() -> Iterator[list[tuple[int, str, str]]]:
    """What ``account_status_changed`` said."""
    heard: list[tuple[int, str, str]] = []

    def receiver(*, account_id: int, status: str, code: str, **_: object) -> None:
        heard.append((account_id, status, code))

    account_status_changed.connect(receiver)
    yield heard
    account_status_changed.disconnect(receiver)


@pytest.fixture
def oauth_account(account: MailAccount, mailbox: SandboxMailbox) -> MailAccount:
    """The account after its owner switched it to OAuth."""
    sync_account(account.pk)
    return switch_by_consent(account, mailbox)


def sync(account: MailAccount) -> SyncReport:
    report = sync_account(account.pk)
    account.refresh_from_db()
    assert account.lease_owner == account.stage == ""
    assert report.status == account.status
    return report


def code_of(report: SyncReport) -> str:
    return report.error.code if report.error else ""


def set_password(account: MailAccount, password: str) -> None:
    credential = account.credentials.get()
    credential.secret = Secret(password)
    credential.save()


def in_seconds(account: MailAccount) -> float:
    assert account.next_sync_at is not None
    return (account.next_sync_at - timezone.now()).total_seconds()


def test_a_refused_password_waits_for_its_owner_and_is_not_tried_again(
    account: MailAccount, changes: list[tuple[int, str, str]]
) -> None:
    sync(account)
    set_password(account, "changed elsewhere")
    report = sync(account)
    assert (account.status, code_of(report)) == (AccountStatus.NEEDS_OWNER, "password_rejected")
    assert account.next_sync_at is None
    assert report.error is not None and account.status_message == report.error.message
    assert account.clean_syncs == 0
    assert changes == [(account.pk, "ok", ""), (account.pk, "needs_owner", "password_rejected")]


def test_success_clears_whatever_was_wrong(
    account: MailAccount, mailbox: SandboxMailbox, changes: list[tuple[int, str, str]]
) -> None:
    set_password(account, "wrong")
    sync(account)
    set_password(account, mailbox.password)
    sync(account)
    assert (account.status, account.status_code, account.status_message, account.failures) == ("ok", "", "", 0)
    assert account.clean_syncs == 1
    assert 40 < in_seconds(account) <= 60
    assert [status for _, status, _ in changes] == ["needs_owner", "ok"]


def test_a_server_that_is_down_never_disables_an_account_and_is_tried_less_and_less_often(
    account: MailAccount, changes: list[tuple[int, str, str]], closed_port: int
) -> None:
    sync(account)
    account.imap_port = closed_port
    account.save()
    waits = []
    for _ in range(3):
        assert code_of(sync(account)) == "connection_refused"
        assert account.status == AccountStatus.WAITING
        waits.append(in_seconds(account))
    assert waits[0] < 70 < waits[1] < 140 < waits[2] < 280
    assert account.failures == 3
    assert [status for _, status, _ in changes] == ["ok", "waiting"]


def test_a_server_that_asks_for_a_pause_gets_it(account: MailAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    def throttled(self: ImapSession, **rest: object) -> None:
        raise Throttled(retry_after=2000, host="imap.test")

    monkeypatch.setattr(ImapSession, "folders", throttled)
    assert code_of(sync(account)) == "throttled"
    assert account.status == AccountStatus.WAITING
    assert 1900 < in_seconds(account) < 2300


def test_a_mailbox_that_may_not_be_opened_needs_its_administrator_once_that_is_confirmed(
    account: MailAccount, mailbox: SandboxMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exchange says so in passing as well."""
    mailbox.append(letter())

    def refused(self: ImapSession, name: str, **rest: object) -> None:
        raise MailboxNotConnected(mailbox=account.address)

    monkeypatch.setattr(ImapSession, "select", refused)
    statuses = []
    for _ in range(3):
        sync(account)
        statuses.append(account.status)
        assert account.next_sync_at is not None
    assert statuses == [AccountStatus.WAITING, AccountStatus.WAITING, AccountStatus.NEEDS_ADMIN]


def test_after_the_switch_to_oauth_the_sync_goes_on_where_it_was(
    account: MailAccount, mailbox: SandboxMailbox
) -> None:
    make_contact(CONTACT)
    for _ in range(3):
        mailbox.append(letter())
    assert sync(account).bodies_fetched == 3
    switch_by_consent(account, mailbox)
    mailbox.append(letter())
    report = sync(account)
    assert (report.examined, report.bodies_fetched, account.messages.count()) == (1, 1, 4)
    mailbox.sandbox.idp.faults.expire_access_tokens(mailbox.address)
    mailbox.append(letter())
    report = sync(account)  # the refused token was renewed within the sync
    assert (report.error, report.bodies_fetched, account.messages.count()) == (None, 1, 5)


def test_a_revoked_grant_asks_the_owner_to_reconnect(oauth_account: MailAccount, mailbox: SandboxMailbox) -> None:
    mailbox.sandbox.idp.faults.revoke(mailbox.address)
    assert code_of(sync(oauth_account)) == "grant_revoked"
    assert (oauth_account.status, oauth_account.next_sync_at) == (AccountStatus.NEEDS_OWNER, None)


def test_a_broken_registration_is_not_the_accounts_fault_and_raises_an_alarm(
    oauth_account: MailAccount, mailbox: SandboxMailbox
) -> None:
    mailbox.sandbox.idp.faults.expire_access_tokens(mailbox.address)
    mailbox.sandbox.idp.faults.refuse("invalid_client", code=7000222, status=401)
    assert code_of(sync(oauth_account)) == "client_secret_expired"
    assert oauth_account.status == AccountStatus.WAITING
    assert oauth_account.next_sync_at is not None
    assert OAuthClient.objects.get().alarm_code == "client_secret_expired"


def test_whoever_asked_in_circles_stays_away_for_an_hour(oauth_account: MailAccount, mailbox: SandboxMailbox) -> None:
    mailbox.sandbox.idp.faults.expire_access_tokens(mailbox.address)
    mailbox.sandbox.idp.faults.refuse("invalid_grant", code=50196)
    assert code_of(sync(oauth_account)) == "client_looping"
    assert oauth_account.status == AccountStatus.WAITING
    assert oauth_account.next_sync_at >= timezone.now() + timedelta(minutes=59)


def test_a_locked_sign_in_is_said_on_the_account_and_waited_for(
    oauth_account: MailAccount, mailbox: SandboxMailbox
) -> None:
    mailbox.sandbox.idp.faults.expire_access_tokens(mailbox.address)
    mailbox.sandbox.idp.faults.refuse("invalid_grant", code=50053)
    assert code_of(sync(oauth_account)) == "sign_in_locked"
    assert oauth_account.status == AccountStatus.WAITING
    assert "security notices" in oauth_account.status_message
    assert sync(oauth_account).error is None


def test_a_provider_out_of_order_is_waited_for(oauth_account: MailAccount, mailbox: SandboxMailbox) -> None:
    mailbox.sandbox.idp.faults.expire_access_tokens(mailbox.address)
    mailbox.sandbox.idp.faults.fail(status=503, times=5)
    assert code_of(sync(oauth_account)) == "provider_unavailable"
    assert oauth_account.status == AccountStatus.WAITING
    mailbox.sandbox.idp.faults.reset()


def test_a_refusal_of_the_old_credential_says_nothing_about_the_new_one(
    account: MailAccount, mailbox: SandboxMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner reconnects while a sync with the old password is on its way to be refused."""
    set_password(account, "old")
    original = ImapSession.open.__func__  # type: ignore[attr-defined]  # the function beneath the class method

    def meanwhile(cls: type[ImapSession], *args: object, **kwargs: object) -> object:
        try:
            return original(cls, *args, **kwargs)
        finally:
            Credential.objects.all().delete()
            Credential.objects.create(
                account=account, backend="password", username=account.address, secret=Secret(mailbox.password),
                state="active",
            )  # fmt: skip

    with monkeypatch.context() as patch:
        patch.setattr(ImapSession, "open", classmethod(meanwhile))
        assert code_of(sync(account)) == "password_rejected"
    assert account.status == AccountStatus.NEW
    assert account.next_sync_at <= timezone.now() + timedelta(seconds=1)
    assert sync(account).error is None


def test_a_fault_of_the_database_is_passed_on_and_the_account_let_go(
    account: MailAccount, mailbox: SandboxMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox.append(letter())

    def fail(held: lease.Lease, batch: object) -> int:
        raise DatabaseError

    monkeypatch.setattr(examine, "store_batch", fail)
    with pytest.raises(DatabaseError):
        sync_account(account.pk)
    account.refresh_from_db()
    assert (account.status, account.status_code, account.lease_owner) == (AccountStatus.WAITING, "error", "")
    assert account.next_sync_at is not None


def test_an_interrupted_sync_lets_go_at_once(account: MailAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self: ImapSession, **rest: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ImapSession, "folders", interrupt)
    with pytest.raises(KeyboardInterrupt):
        sync_account(account.pk)
    account.refresh_from_db()
    assert (account.status, account.lease_owner) == (AccountStatus.NEW, "")


def test_a_folder_that_vanishes_between_list_and_open_stops_nothing(
    account: MailAccount, mailbox: SandboxMailbox, world: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.integration.mailboxes import imap_of

    make_contact(CONTACT)
    mailbox.append(letter(), folder="Alpha")
    mailbox.append(letter(), folder="Beta")
    original = ImapSession.folders

    def then_delete(self: ImapSession, **rest: bool) -> object:
        found = original(self, **rest)
        with imap_of(mailbox) as imap:
            imap.delete("Alpha")
        return found

    monkeypatch.setattr(ImapSession, "folders", then_delete)
    report = sync(account)
    assert (report.error, report.stored) == (None, 1)
    assert account.folders.get(name="Alpha").missing_since is not None
    assert account.folders.get(name="Beta").missing_since is None
