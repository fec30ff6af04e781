"""From password to OAuth: the same account, nothing downloaded again, and a way back."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django_q.models import OrmQ

from mailaccounts.crypto import Secret
from mailaccounts.errors import AccountChanged, MailAccountsError, NetworkError, WrongIdentity
from mailaccounts.models import AccountStatus, Credential, CredentialState, Folder, Grant, MailAccount, OAuthClient
from mailaccounts.services.connecting import connect as connect_service
from mailaccounts.services.connecting.disconnect import disconnect
from mailaccounts.services.connecting.granted import kept_or_given_back
from mailaccounts.services.connecting.wish import Purpose, Wish
from mailaccounts.services.moving import migrate
from mailaccounts.services.registering import clients
from mailaccounts.services.signing_in.credentials import destroy
from mailaccounts.services.signing_in.login import open_imap, open_smtp
from mailaccounts.services.signing_in.tokens import GrantTokens
from mailaccounts.signals import credential_switched
from tests.app.builders import make_user
from tests.moving import consented
from tests.sandbox_crm import connect_by_password, issue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mailaccounts.oauth.types import Issued
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(anna: SandboxMailbox) -> MailAccount:
    """Anna's account, connected with her password and synced up to message 42."""
    account = connect_by_password(anna, make_user())
    Folder.objects.create(account=account, name="INBOX", uidvalidity=7, last_uid=42, examined=42)
    MailAccount.objects.update(
        status=AccountStatus.NEEDS_OWNER, failures=4, clean_syncs=9, last_sync_at=timezone.now()
    )
    OrmQ.objects.all().delete()
    account.refresh_from_db()
    return account


@pytest.fixture
def switched() -> Iterator[list[dict[str, Any]]]:
    """What was said about switches."""
    heard: list[dict[str, Any]] = []

    def hear(**sent: Any) -> None:
        heard.append({name: sent[name] for name in ("account_id", "old", "new")})

    credential_switched.connect(hear, dispatch_uid="test")
    yield heard
    credential_switched.disconnect(dispatch_uid="test")


def switch(account: MailAccount, mailbox: SandboxMailbox) -> MailAccount:
    return switch_with(account, issue(mailbox), clients.registered("microsoft"))


def switch_with(account: MailAccount, issued: Issued, client: OAuthClient) -> MailAccount:
    wish = Wish.of(account, Purpose.SWITCH)
    with kept_or_given_back(wish, issued, client=client, backend="xoauth2") as granted:
        step = migrate.consented(account, granted, user=account.owner)
        if step is None:
            return connect_service.reconnect_granted(account, granted, actor=account.owner)
    migrate.go_on(step, actor=account.owner)
    return account


def test_a_switch_keeps_the_account_its_folders_and_its_cursors(account: MailAccount, anna: SandboxMailbox) -> None:
    folder = Folder.objects.values().get()
    after = switch(account, anna)
    assert after.pk == account.pk
    assert Folder.objects.values().get() == folder


def test_the_new_sign_in_is_used_from_then_on(account: MailAccount, anna: SandboxMailbox) -> None:
    switch(account, anna)
    credential = Credential.objects.get(account=account, state=CredentialState.ACTIVE)
    assert (credential.backend, credential.username, credential.secret) == ("xoauth2", anna.address, None)
    assert credential.proven_at
    with open_imap(account), open_smtp(account):
        pass


def test_the_old_password_is_kept_sealed_for_rolling_back(account: MailAccount, anna: SandboxMailbox) -> None:
    switch(account, anna)
    retired = Credential.objects.get(account=account, state=CredentialState.RETIRED)
    assert retired.backend == "password"
    assert retired.retired_at
    assert retired.secret.reveal_text() == anna.password


def test_only_the_last_retired_credential_is_kept(account: MailAccount, anna: SandboxMailbox) -> None:
    older = Credential.objects.create(
        account=account,
        backend="password",
        username="older",
        secret=Secret("older"),
        state=CredentialState.RETIRED,
        retired_at=timezone.now(),
    )
    switch(account, anna)
    assert not Credential.objects.filter(pk=older.pk).exists()
    assert account.credentials.count() == 2


def test_a_switch_clears_what_was_wrong_and_queues_a_sync(account: MailAccount, anna: SandboxMailbox) -> None:
    switch(account, anna)
    account.refresh_from_db()
    assert (account.status, account.failures, account.clean_syncs) == (AccountStatus.OK, 0, 0)
    assert OrmQ.objects.get().task["args"] == (account.pk,)


def test_a_switch_is_announced_once(
    account: MailAccount, anna: SandboxMailbox, switched: list[dict[str, Any]]
) -> None:
    switch(account, anna)
    switch(account, anna)
    assert switched == [{"account_id": account.pk, "old": "password", "new": "xoauth2"}]


def test_switching_again_replaces_the_grant_and_keeps_the_way_back(account: MailAccount, anna: SandboxMailbox) -> None:
    switch(account, anna)
    first = Grant.objects.get()
    switch(account, anna)
    assert Grant.objects.get() != first
    assert {each.backend for each in account.credentials.all()} == {"password", "xoauth2"}


def test_somebody_who_may_not_open_the_mailbox_changes_nothing(
    account: MailAccount, new_mailbox: Callable[[], SandboxMailbox], switched: list[dict[str, Any]]
) -> None:
    with pytest.raises(WrongIdentity):
        switch(account, new_mailbox())
    account.refresh_from_db()
    assert account.status == AccountStatus.NEEDS_OWNER
    assert account.credentials.get().state == CredentialState.ACTIVE
    assert not (Grant.objects.exists() or OrmQ.objects.exists() or switched)


def test_smtp_is_proven_before_the_switch(account: MailAccount, anna: SandboxMailbox) -> None:
    MailAccount.objects.update(smtp_host="no-such-host.invalid")
    account.refresh_from_db()
    with pytest.raises(NetworkError):
        switch(account, anna)
    assert account.credentials.get().backend == "password"


def test_what_was_proven_for_an_earlier_wish_proves_nothing_for_a_newer(
    account: MailAccount, anna: SandboxMailbox
) -> None:
    """A worker had read the step of the earlier consent, which was only to read, when a newer one was stored."""
    late = consented(account, anna, Wish.of(account, Purpose.SWITCH).sending(through=None))
    newer = consented(account, anna)
    migrate.prove(late)
    assert (late.state, late.wish) == ("consented", newer.wish)
    assert account.credentials.get(state=CredentialState.PENDING).proven_at is None
    assert migrate.go_on(late).state == "switched"


def test_a_switch_puts_into_use_what_the_newer_wish_says(account: MailAccount, anna: SandboxMailbox) -> None:
    late = consented(account, anna, Wish.of(account, Purpose.SWITCH).sending(through=None))
    migrate.prove(late)
    migrate.prove(consented(account, anna))
    migrate.swap(late)
    account.refresh_from_db()
    assert (late.state, account.smtp) == ("switched", anna.sandbox.smtp)


def test_an_account_that_was_disconnected_meanwhile_stays_disconnected(
    account: MailAccount, anna: SandboxMailbox
) -> None:
    issued, gone = issue(anna), MailAccount.objects.get(pk=account.pk)
    disconnect(account, erase_mail=True, actor=account.owner)
    with pytest.raises(AccountChanged):
        switch_with(gone, issued, clients.registered("microsoft"))
    assert not (MailAccount.objects.exists() or Grant.objects.exists())


def test_an_account_that_got_other_servers_meanwhile_stays_as_it_is(
    account: MailAccount, anna: SandboxMailbox
) -> None:
    """The new sign-in was proven at the servers of before."""
    before = MailAccount.objects.get(pk=account.pk)
    MailAccount.objects.update(imap_port=account.imap_port + 1)
    with pytest.raises(AccountChanged):
        switch(before, anna)
    assert account.credentials.get().backend == "password"
    assert not Grant.objects.exists()


def test_a_database_that_fails_leaves_the_old_sign_in_and_gives_the_grant_back(
    account: MailAccount, anna: SandboxMailbox
) -> None:
    """Whatever is wrong: here the registration's row went away between the consent and the switch."""
    issued, client = issue(anna), clients.registered("microsoft")
    OAuthClient.objects.all().delete()
    with pytest.raises(IntegrityError):
        switch_with(account, issued, client)
    assert account.credentials.get().state == CredentialState.ACTIVE
    assert not Grant.objects.exists()
    assert anna.sandbox.idp.faults.revoke(anna.address) == 0, "nothing is left to revoke at the provider"


def test_the_grant_given_back_is_the_last_rotation(account: MailAccount, anna: SandboxMailbox) -> None:
    """A refresh that is saved while the account is being disconnected: its token is the one that has to end."""
    switch(account, anna)
    stale = account.credentials.select_related("grant__client").get(state=CredentialState.ACTIVE)
    GrantTokens(stale.grant_id).access_token(fresh=True)
    with transaction.atomic():
        destroy([stale])
    assert not Grant.objects.exists()
    assert anna.sandbox.idp.faults.revoke(anna.address) == 0


def test_two_switches_at_the_same_moment_leave_one_sign_in(account: MailAccount, anna: SandboxMailbox) -> None:
    issued, client = [issue(anna), issue(anna)], clients.registered("microsoft")
    problems, start = [], threading.Barrier(2)

    def work(which: int) -> None:
        start.wait()
        try:
            switch_with(MailAccount.objects.get(pk=account.pk), issued[which], client)
        except MailAccountsError as error:
            problems.append(error)
        connection.close()

    threads = [threading.Thread(target=work, args=[which]) for which in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert Credential.objects.filter(account=account, state=CredentialState.ACTIVE).count() == 1
    assert Grant.objects.count() == 1
    with open_imap(account):
        pass


@pytest.mark.parametrize(
    ("username", "used"), [("anna", None), ("DOMAIN\\anna", None), ("anna@upn.sandbox.test", "anna@upn.sandbox.test")]
)
def test_the_mailbox_is_named_by_a_full_address(account: MailAccount, username: str, used: str | None) -> None:
    Credential.objects.update(username=username)
    assert Wish.of(account, Purpose.SWITCH).mailbox == (used or account.address)
