"""Disconnecting: no sync, no secret, the provider told, mail kept or erased, a receipt; whatever happens meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from crm.models import TimelineEntry
from mailaccounts import tasks
from mailaccounts.crypto import Secret
from mailaccounts.errors import AccountChanged
from mailaccounts.models import (
    ERASING,
    AccountStatus,
    AuditAction,
    AuditEntry,
    ConsentAttempt,
    Credential,
    Folder,
    Grant,
    MailAccount,
    Message,
    MigrationRun,
    MigrationStep,
)
from mailaccounts.rules.migration_states import MigrationState
from mailaccounts.selectors import receipts
from mailaccounts.services.connecting import disconnect as disconnecting
from mailaccounts.services.connecting.connect import reconnect
from mailaccounts.services.connecting.receipt import Receipt
from mailaccounts.services.syncing.due import enqueue_due, sync_soon
from mailaccounts.services.syncing.sync import sync_account
from mailaccounts.signals import account_status_changed
from tests.app.builders import make_account, make_client, make_credential, make_grant, make_user
from tests.crm.builders import make_contact, store_message
from tests.haul import Haul, collect_tables
from tests.letters import CONTACT, letter
from tests.sandbox_crm import connect_by_consent, connect_by_password, leave_for_consent, switch_by_consent

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import SettingsWrapper

    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(anna: SandboxMailbox) -> MailAccount:
    """Anna's account, connected with her password and synced."""
    account = connect_by_password(anna, make_user())
    make_contact(CONTACT)
    for _ in range(3):
        anna.append(letter())
    assert sync_account(account.pk).stored == 3
    account.refresh_from_db()
    return account


def disconnect(account: MailAccount, *, erase_mail: bool = False) -> Receipt:
    return Receipt.of(disconnecting.disconnect(account, erase_mail=erase_mail, actor=account.owner))


def holds_no_secret() -> bool:
    return not (Credential.objects.exists() or Grant.objects.exists() or ConsentAttempt.objects.exists())


def test_kept_mail_stays_with_folders_and_cursors_and_without_any_secret(
    account: MailAccount, anna: SandboxMailbox
) -> None:
    switch_by_consent(account, anna)
    leave_for_consent(account, account.owner)
    folders = list(Folder.objects.values())
    receipt = disconnect(account)
    account.refresh_from_db()
    assert (account.status, account.status_code, account.next_sync_at) == (AccountStatus.DISCONNECTED, "", None)
    assert holds_no_secret()
    assert list(Folder.objects.values()) == folders
    assert account.messages.count() == TimelineEntry.objects.count() == 3
    assert (receipt.mail, receipt.messages) == ("kept", 3)
    assert receipt.destroyed == 4, "the password, an access and a refresh token, the consent under way"
    assert receipt.by == account.owner.username


def test_the_provider_is_told_and_the_receipt_says_so(account: MailAccount, anna: SandboxMailbox) -> None:
    switch_by_consent(account, anna)
    (permission,) = disconnect(account).permissions
    assert (permission.provider, permission.signed_in_as) == ("Microsoft", anna.address)
    assert permission.outcome == "revoked"
    assert anna.sandbox.idp.faults.revoke(anna.address) == 0, "nothing is left to revoke at the provider"


@pytest.mark.usefixtures("every_provider")
@pytest.mark.parametrize("domain", ["sandbox.test", "google.test", "oidc.test"])
def test_every_provider_is_told(new_mailbox: Callable[..., SandboxMailbox], domain: str) -> None:
    mailbox = new_mailbox(domain=domain)
    account = connect_by_consent(mailbox, make_user())
    assert [each.outcome for each in disconnect(account, erase_mail=True).permissions] == ["revoked"]
    assert mailbox.sandbox.idp.faults.revoke(mailbox.address) == 0


def test_after_erasing_no_table_tells_what_was_in_the_mailbox(account: MailAccount, anna: SandboxMailbox) -> None:
    """Not even what was noted of it while it moved to another sign-in."""
    told = ["Secret plans", "Hush-hush"]
    anna.append(letter(subject=told[1]), folder=told[0])
    switch_by_consent(account, anna)
    sync_account(account.pk)
    before, after = Haul(), Haul()
    collect_tables(before)
    noted_in = {f"table mailaccounts_{name}" for name in ("folder", "message", "migrationstep")}
    assert noted_in <= set(before.places_of(told))
    disconnect(account, erase_mail=True)
    collect_tables(after)
    assert not MailAccount.objects.exists()
    assert after.places_of(told) == []


def test_a_mailbox_on_its_way_to_another_sign_in_stops_there(account: MailAccount) -> None:
    run = MigrationRun.objects.create(to="xoauth2", client=make_client())
    step = MigrationStep.objects.create(run=run, account=account, address=account.address)
    disconnect(account)
    tasks.tick()
    step.refresh_from_db()
    assert step.state == MigrationState.CANCELLED


def test_reconnecting_goes_on_where_it_stopped(account: MailAccount, anna: SandboxMailbox) -> None:
    disconnect(account)
    anna.append(letter())
    account.refresh_from_db()
    reconnect(account, backend="password", username="", secret=Secret(anna.password))
    report = sync_account(account.pk)
    assert (report.error, report.examined, account.messages.count()) == (None, 1, 4)
    account.refresh_from_db()
    assert account.status == AccountStatus.OK


def test_erasing_takes_the_account_and_everything_of_it(account: MailAccount, anna: SandboxMailbox) -> None:
    switch_by_consent(account, anna)
    receipt = disconnect(account, erase_mail=True)
    assert not (MailAccount.objects.exists() or Message.objects.exists() or TimelineEntry.objects.exists())
    assert holds_no_secret()
    assert (receipt.mail, receipt.messages) == ("erased", 3)
    assert receipt.erased_at is not None
    assert len(anna.message_ids()["INBOX"]) == 3, "the mail on the server is not touched"


def test_kept_mail_can_be_erased_later(account: MailAccount) -> None:
    first = disconnect(account)
    account.refresh_from_db()
    second = disconnect(account, erase_mail=True)
    assert not MailAccount.objects.exists()
    assert (first.mail, first.destroyed, second.mail, second.destroyed) == ("kept", 1, "erased", 0)
    assert receipts().count() == 2


def test_once_more_is_the_same_receipt(account: MailAccount) -> None:
    assert disconnect(account).id == disconnect(account).id
    assert receipts().count() == 1


def test_one_that_was_deleted_meanwhile_is_gone(account: MailAccount) -> None:
    MailAccount.objects.all().delete()
    with pytest.raises(AccountChanged):
        disconnect(account)


def test_other_accounts_are_left_alone(account: MailAccount) -> None:
    other = make_credential(make_account(account.owner, next_sync_at=timezone.now())).account
    store_message(other, sender=CONTACT, to=other.address)
    before = MailAccount.objects.filter(pk=other.pk).values().get()
    disconnect(account, erase_mail=True)
    assert MailAccount.objects.values().get() == before
    assert (Credential.objects.count(), Message.objects.count()) == (1, 1)


def test_a_grant_that_another_account_uses_stays(account: MailAccount) -> None:
    shared = make_grant(signed_in_as="anna@example.test")
    Credential.objects.filter(account=account).delete()
    make_credential(account, grant=shared, backend="xoauth2")
    other = make_credential(make_account(account.owner), grant=shared, backend="xoauth2")
    receipt = disconnect(account)
    assert [each.outcome for each in receipt.permissions] == ["in_use"]
    assert Credential.objects.get() == other
    shared.refresh_from_db()
    assert (shared.status, shared.access_token.reveal()) == ("active", b"t0ken")


def test_an_organisations_grant_is_nothing_to_revoke_and_its_token_goes(account: MailAccount) -> None:
    Credential.objects.all().delete()
    make_credential(account, grant=make_grant(app_only=True), backend="app_only")
    receipt = disconnect(account)
    assert [each.outcome for each in receipt.permissions] == ["organisation"]
    assert not Grant.objects.exists()


def test_a_disconnected_account_is_neither_due_nor_synced(account: MailAccount) -> None:
    disconnect(account)
    account.refresh_from_db()
    sync_soon(account)
    assert enqueue_due() == 0
    report = sync_account(account.pk)
    assert report.error is not None and report.error.code == "account_disconnected"
    account.refresh_from_db()
    assert (account.status, account.next_sync_at, account.lease_owner) == (AccountStatus.DISCONNECTED, None, "")


def test_disconnecting_is_heard_of(account: MailAccount) -> None:
    heard: list[tuple[int, str]] = []

    def hear(**sent: Any) -> None:
        heard.append((sent["account_id"], sent["status"]))

    account_status_changed.connect(hear, dispatch_uid="test")
    try:
        disconnect(account)
    finally:
        account_status_changed.disconnect(dispatch_uid="test")
    assert heard == [(account.pk, "disconnected")]


def test_a_lost_key_keeps_nothing_from_being_destroyed(
    account: MailAccount, anna: SandboxMailbox, settings: SettingsWrapper
) -> None:
    switch_by_consent(account, anna)
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SECRET_KEYS": ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]}
    receipt = disconnect(account)
    assert holds_no_secret()
    assert [each.outcome for each in receipt.permissions] == ["given_up"]


# --- a crash anywhere leaves something to be finished ----------------------------------------------------------


class Crash(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("at", ["destroy", "audit.note"])
def test_a_crash_before_the_commit_leaves_everything_as_it_was(
    account: MailAccount, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    def crash(*args: object, **options: object) -> None:
        raise Crash

    with monkeypatch.context() as patch, pytest.raises(Crash):
        patch.setattr(f"mailaccounts.services.connecting.disconnect.{at}", crash)
        disconnect(account, erase_mail=True)
    before = (account.status, account.next_sync_at)
    account.refresh_from_db()
    assert (account.status, account.next_sync_at) == before
    assert account.credentials.count() == 1
    assert not AuditEntry.objects.filter(action=AuditAction.DISCONNECTED).exists()
    assert sync_account(account.pk).error is None


@pytest.mark.parametrize(
    "at",
    [
        "signing_in.credentials.give_back",  # nobody told the provider
        "signing_in.give_back._tell",
        "signing_in.give_back._conclude",  # it was told, and we don't know
        "connecting.disconnect.erase",
        "connecting.erase._erase_account",  # all mail is gone, the account isn't
    ],
)
def test_after_a_crash_the_tick_completes_it(
    account: MailAccount, anna: SandboxMailbox, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    switch_by_consent(account, anna)

    def crash(*args: object, **options: object) -> None:
        raise Crash

    with monkeypatch.context() as patch, pytest.raises(Crash):
        patch.setattr(f"mailaccounts.services.{at}", crash)
        disconnect(account, erase_mail=True)
    account.refresh_from_db()
    assert (account.status, account.status_code) == (AccountStatus.DISCONNECTED, ERASING)
    assert not Credential.objects.exists()

    past = timezone.now() - timedelta(minutes=5)
    MailAccount.objects.update(lease_until=past, next_sync_at=past)  # its lease and its claim run out
    Grant.objects.filter(refresh_until__isnull=False).update(refresh_until=past)
    tasks.tick()
    tasks.erase(account.pk)  # which the tick has queued
    assert not MailAccount.objects.exists()
    assert holds_no_secret()
    receipt = Receipt.of(receipts().get())
    assert [each.outcome for each in receipt.permissions] == ["revoked"]
    assert receipt.erased_at is not None
    assert anna.sandbox.idp.faults.revoke(anna.address) == 0


def test_an_account_on_its_way_out_is_not_reconnected(
    account: MailAccount, anna: SandboxMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disconnecting, "erase", lambda *args, **options: False)
    disconnect(account, erase_mail=True)
    account.refresh_from_db()
    with pytest.raises(AccountChanged):
        reconnect(account, backend="password", username="", secret=Secret(anna.password))
    assert not Credential.objects.exists()


def test_what_was_begun_before_does_not_connect_it_again(account: MailAccount, anna: SandboxMailbox) -> None:
    """In another window; and a deactivated user may have one, too."""
    earlier = MailAccount.objects.get(pk=account.pk)
    disconnect(account)
    with pytest.raises(AccountChanged):
        reconnect(earlier, backend="password", username="", secret=Secret(anna.password))
    assert not Credential.objects.exists()
