"""Connecting and reconnecting: proven first, and nothing half-made is ever stored."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from mailaccounts.crypto import Secret
from mailaccounts.errors import (
    AccountChanged,
    AlreadyConnected,
    CertificateUntrusted,
    ConnectionRefused,
    CredentialMissing,
    HostMisconfigured,
    HostNotAllowed,
    HostNotFound,
    InvalidInput,
    LeaseLost,
    MailAccountsError,
    PasswordRejected,
    SendingNotAllowed,
    TooManyAttempts,
    UnsafeArgument,
)
from mailaccounts.mail.types import Endpoint, Security
from mailaccounts.models import AccountStatus, Credential, CredentialState, Folder, Grant, MailAccount, MessageUid
from mailaccounts.services.connecting.account_draft import AccountDraft
from mailaccounts.services.connecting.connect import connect, reconnect
from mailaccounts.services.connecting.disconnect import disconnect
from mailaccounts.services.limits import lease
from mailaccounts.services.signing_in.login import open_imap, open_smtp
from mailaccounts.signals import account_status_changed
from tests.app.builders import make_account, make_user
from tests.crm.builders import store_message
from tests.sandbox_crm import switch_by_consent

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)

CLOSED_PORT = 1  # of localhost: nobody listens there


def draft_for(mailbox: SandboxMailbox, **changes: Any) -> AccountDraft:
    draft = AccountDraft(
        owner=make_user(), address=mailbox.address, imap=mailbox.sandbox.imap, smtp=mailbox.sandbox.smtp
    )
    return dataclasses.replace(draft, **changes)


def connected(mailbox: SandboxMailbox, **changes: Any) -> MailAccount:
    return connect(draft_for(mailbox, **changes), backend="password", secret=Secret(mailbox.password))


def nothing_is_stored() -> bool:
    return not (MailAccount.objects.exists() or Credential.objects.exists() or OrmQ.objects.exists())


def test_a_mailbox_is_connected_with_its_password(anna: SandboxMailbox) -> None:
    account = connected(anna)
    credential = account.credentials.get()
    assert (credential.backend, credential.username) == ("password", anna.address)
    assert credential.state == CredentialState.ACTIVE
    assert credential.proven_at
    with open_imap(account) as session:
        assert session.select("INBOX").exists == 0
    with open_smtp(account):
        pass


def test_the_first_sync_is_queued(anna: SandboxMailbox) -> None:
    account = connected(anna)
    task = OrmQ.objects.get().task
    assert (task["func"], task["args"]) == ("mailaccounts.tasks.sync", (account.pk,))
    assert account.next_sync_at
    assert account.status == AccountStatus.NEW


def test_an_account_that_only_reads_has_no_smtp_server(anna: SandboxMailbox) -> None:
    account = connected(anna, smtp=None)
    assert account.smtp is None
    with pytest.raises(SendingNotAllowed):
        open_smtp(account)


def test_the_history_is_bounded_unless_chosen_otherwise(
    anna: SandboxMailbox, new_mailbox: Callable[[], SandboxMailbox], settings: SettingsWrapper
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "FIRST_SYNC_DAYS": 30}
    assert connected(anna).since == timezone.localdate() - timedelta(days=30)
    assert connected(new_mailbox(), since=date(2001, 2, 3)).since == date(2001, 2, 3)


def host(sandbox: Sandbox, **changes: Any) -> Endpoint:
    return dataclasses.replace(sandbox.imap, **changes)


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (lambda s: {"imap": host(s, host="no-such-host.invalid")}, HostNotFound),
        (lambda s: {"imap": host(s, port=CLOSED_PORT)}, ConnectionRefused),
        (lambda s: {"imap": host(s, port=s.imap_starttls.port)}, HostMisconfigured),
        (lambda s: {"imap": host(s, host="10.1.2.3")}, HostNotAllowed),
        (lambda s: {"smtp": dataclasses.replace(s.smtp, port=CLOSED_PORT)}, ConnectionRefused),
        (lambda s: {"address": "anna"}, InvalidInput),
        (lambda s: {"address": ""}, InvalidInput),
        (lambda s: {"address": '"an\1na"@sandbox.test', "username": "anna@sandbox.test"}, UnsafeArgument),
        (lambda s: {"address": f"{'a' * 60}@{'b' * 60}.{'c' * 60}.{'d' * 60}.sandbox.test"}, InvalidInput),
        (lambda s: {"username": "an\r\nna"}, UnsafeArgument),
        (lambda s: {"username": "a" * 321}, InvalidInput),
    ],
)
def test_what_can_not_work_is_refused_and_nothing_is_stored(
    anna: SandboxMailbox, broken: Callable[[Sandbox], dict[str, Any]], error: type[MailAccountsError]
) -> None:
    with pytest.raises(error):
        connected(anna, **broken(anna.sandbox))
    assert nothing_is_stored()


def test_a_wrong_password_is_refused_and_nothing_is_stored(anna: SandboxMailbox) -> None:
    with pytest.raises(PasswordRejected) as caught:
        connect(draft_for(anna), backend="password", secret=Secret("wr0ng"))
    assert "wr0ng" not in str(caught.value)
    assert nothing_is_stored()


def test_an_untrusted_certificate_is_refused(anna: SandboxMailbox, settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CA_BUNDLE": ""}
    with pytest.raises(CertificateUntrusted):
        connected(anna)
    assert nothing_is_stored()


def test_a_private_host_is_refused_unless_the_operator_allows_it(
    anna: SandboxMailbox, settings: SettingsWrapper
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "ALLOW_PRIVATE_HOSTS": []}
    with pytest.raises(HostNotAllowed):
        connected(anna, imap=host(anna.sandbox, port=993))


def test_a_consent_backend_wants_a_consent(anna: SandboxMailbox) -> None:
    with pytest.raises(InvalidInput):
        connect(draft_for(anna), backend="xoauth2", secret=Secret("x"))
    with pytest.raises(InvalidInput):
        connect(draft_for(anna), backend="unheard_of", secret=Secret("x"))


def test_a_mailbox_is_connected_once_per_owner_and_that_costs_no_login(anna: SandboxMailbox) -> None:
    account = connected(anna)
    with pytest.raises(AlreadyConnected):
        connect(
            draft_for(anna, owner=account.owner, address=anna.address.upper()), backend="password", secret=Secret("no")
        )
    assert MailAccount.objects.count() == 1
    assert connected(anna).owner != account.owner


def test_connection_tests_are_limited_per_user(anna: SandboxMailbox, settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CONNECTION_TESTS": 2}
    draft = draft_for(anna, imap=host(anna.sandbox, port=CLOSED_PORT))
    for expected in (ConnectionRefused, ConnectionRefused, TooManyAttempts):
        with pytest.raises(expected):
            connect(draft, backend="password", secret=Secret("x"))
    assert connected(anna)  # somebody else


def test_a_cache_out_of_reach_keeps_nobody_from_connecting(anna: SandboxMailbox, settings: SettingsWrapper) -> None:
    nowhere = f"redis://localhost:{CLOSED_PORT}"
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": nowhere}}
    assert connected(anna)


def test_reconnecting_keeps_the_account_and_destroys_the_old_password(anna: SandboxMailbox) -> None:
    account = connected(anna)
    Folder.objects.create(account=account, name="INBOX", uidvalidity=1, last_uid=42)
    before = account.credentials.get()
    MailAccount.objects.filter(pk=account.pk).update(
        status=AccountStatus.NEEDS_OWNER, status_code="password_rejected", failures=3, last_sync_at=timezone.now()
    )
    heard: list[dict[str, Any]] = []
    account_status_changed.connect(lambda **sent: heard.append(sent), weak=False, dispatch_uid="test")
    try:
        reconnect(MailAccount.objects.get(), backend="password", username="", secret=Secret(anna.password))
    finally:
        account_status_changed.disconnect(dispatch_uid="test")
    account = MailAccount.objects.get(pk=account.pk)
    assert (account.status, account.status_code, account.failures) == (AccountStatus.OK, "", 0)
    assert account.folders.get().last_uid == 42
    assert account.credentials.get().pk != before.pk
    assert [(sent["account_id"], sent["status"]) for sent in heard] == [(account.pk, "ok")]
    assert OrmQ.objects.count() == 2


def test_a_failed_reconnect_changes_nothing(anna: SandboxMailbox) -> None:
    account = connected(anna)
    before = account.credentials.get()
    with pytest.raises(PasswordRejected):
        reconnect(account, backend="password", username="", secret=Secret("wr0ng"))
    assert account.credentials.get().secret.reveal_text() == anna.password
    assert account.credentials.get().pk == before.pk


def test_an_account_that_was_disconnected_meanwhile_is_not_reconnected(anna: SandboxMailbox) -> None:
    account = connected(anna)
    disconnect(MailAccount.objects.get(pk=account.pk), erase_mail=True, actor=account.owner)
    with pytest.raises(AccountChanged):
        reconnect(account, backend="password", username="", secret=Secret(anna.password))
    assert not (MailAccount.objects.exists() or Credential.objects.exists())


def test_new_hosts_come_with_the_password(anna: SandboxMailbox) -> None:
    account, starttls = connected(anna), anna.sandbox.imap_starttls
    reconnect(account, backend="password", username="", secret=Secret(anna.password), imap=starttls)
    assert (account.imap, account.smtp) == (starttls, None)
    assert account.imap.security is Security.STARTTLS


def test_on_another_server_every_folder_begins_anew_and_a_sync_on_the_old_one_stops(anna: SandboxMailbox) -> None:
    """Its UIDs mean other messages, even where UIDVALIDITY happens to be the same, as on many Exchange servers."""
    account = connected(anna)
    folder = Folder.objects.create(account=account, name="INBOX", uidvalidity=14, last_uid=42, history_until=10)
    MessageUid.objects.create(
        folder=folder, message=store_message(account, sender="a@b.test", to="c@d.test"), uidvalidity=14, uid=42
    )
    held = lease.claim(account)
    elsewhere = dataclasses.replace(anna.sandbox.imap, host="127.0.0.1")
    for imap, last_uid in ((anna.sandbox.imap_starttls, 42), (elsewhere, 0)):
        reconnect(account, backend="password", username="", secret=Secret(anna.password), imap=imap)
        folder.refresh_from_db()
        assert folder.last_uid == last_uid
    assert (folder.uidvalidity, folder.history_until) == (None, 0)
    assert account.messages.count() == 1
    assert not MessageUid.objects.exists()
    with pytest.raises(LeaseLost):
        lease.renew(held)


def test_reconnecting_by_password_ends_the_grant_at_the_provider(anna: SandboxMailbox) -> None:
    account = switch_by_consent(connected(anna), anna)
    assert Grant.objects.count() == 1
    reconnect(account, backend="password", username=anna.address, secret=Secret(anna.password))
    assert Grant.objects.count() == 0
    assert account.credentials.get().backend == "password"
    assert anna.sandbox.idp.faults.revoke(anna.address) == 0


def test_an_account_without_a_credential_asks_to_be_reconnected(db: None) -> None:
    with pytest.raises(CredentialMissing):
        open_imap(make_account())
