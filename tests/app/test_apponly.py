"""Mailboxes without their users: only where it is switched on, one grant for each name, and a mailbox has to open."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

from mailaccounts.errors import (
    AlreadyConnected,
    AppOnlyOff,
    AuthorityUnknown,
    ClientSecretExpired,
    DelegationMissing,
    MailboxClosed,
    OrganisationOff,
    PermissionMissing,
    TooManyAttempts,
    UserUnknownAtProvider,
)
from mailaccounts.models import AuditAction, AuditEntry, Grant, GrantStatus, MailAccount, OAuthClient, TenantAccess
from mailaccounts.oauth.types import GrantState
from mailaccounts.services.connecting.account_draft import AccountDraft
from mailaccounts.services.connecting.disconnect import disconnect
from mailaccounts.services.organisations import apponly
from mailaccounts.services.registering import clients
from mailaccounts.services.signing_in.login import open_imap, open_smtp
from mailaccounts.services.signing_in.probe import probe_account
from mailaccounts.services.signing_in.tokens import GrantTokens
from mailaccounts.services.syncing.sync import sync_account
from tests.app import organisations
from tests.app.builders import make_user

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import SettingsWrapper

    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


def registered(anna: SandboxMailbox, kind: str, **columns: object) -> OAuthClient:
    """A registration that the sandbox's organisation has let in."""
    client = organisations.registered(anna.sandbox.idp, kind, **columns)
    organisations.let_in(client, anna.sandbox.idp)
    return client


def grant_for(anna: SandboxMailbox, client: OAuthClient) -> Grant:
    return apponly.grant_for(client, tenant=anna.sandbox.idp.tenant, mailbox=anna.address)


@pytest.mark.parametrize("kind", ["microsoft", "certificate"])
def test_microsoft_has_one_grant_for_the_tenant(anna: SandboxMailbox, kind: str) -> None:
    client, idp = registered(anna, kind, authority=f"{anna.sandbox.idp.authority}/organizations"), anna.sandbox.idp
    grant = grant_for(anna, client)
    assert grant.app_only
    assert (grant.tenant, grant.subject, grant.issuer) == (idp.tenant, client.client_id, idp.issuer)
    assert "IMAP.AccessAsApp" in grant.scopes
    assert apponly.grant_for(client, tenant=idp.tenant, mailbox="another@sandbox.test") == grant


def test_a_registration_for_one_tenant_knows_which(anna: SandboxMailbox) -> None:
    assert apponly.grant_for(registered(anna, "microsoft"), mailbox=anna.address).tenant == anna.sandbox.idp.tenant


def test_google_has_one_for_each_mailbox(anna: SandboxMailbox, new_mailbox: Callable[[], SandboxMailbox]) -> None:
    client = registered(anna, "google")
    first, second, again = grant_for(anna, client), grant_for(new_mailbox(), client), grant_for(anna, client)
    assert first == again != second
    assert (first.subject, first.tenant, first.signed_in_as) == (anna.address, "sandbox.test", anna.address)


@pytest.mark.parametrize("kind", ["microsoft", "google"])
def test_a_grant_that_is_there_costs_no_request_and_is_kept_fresh_as_any_other(
    anna: SandboxMailbox, kind: str
) -> None:
    client, faults = registered(anna, kind), anna.sandbox.idp.faults
    grant = grant_for(anna, client)
    faults.fail(times=-1)
    assert grant_for(anna, client) == grant
    faults.reset()
    source = GrantTokens(grant.pk)
    first = source.access_token()
    assert source.access_token(fresh=True).value != first.value


def test_it_is_proven_by_a_token_before_it_is_kept(anna: SandboxMailbox) -> None:
    client = registered(anna, "microsoft")
    anna.sandbox.idp.faults.refuse("invalid_client", code=7000222, status=401)
    with pytest.raises(ClientSecretExpired):
        grant_for(anna, client)
    assert not Grant.objects.exists()
    client.refresh_from_db()
    assert client.alarm_code == "client_secret_expired"


def test_a_mistyped_tenant_is_no_alarm(anna: SandboxMailbox) -> None:
    client = registered(anna, "microsoft")
    with pytest.raises(AuthorityUnknown):
        apponly.grant_for(client, tenant="nowhere.example")
    client.refresh_from_db()
    assert (client.alarm_code, Grant.objects.count()) == ("", 0)


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("microsoft", {"app_only": False}),
        ("microsoft", {"is_active": False}),
        ("google", {"app_only": False}),
        ("oidc", {}),
    ],
)
def test_nothing_happens_unless_an_administrator_switched_it_on(
    anna: SandboxMailbox, kind: str, columns: dict[str, bool]
) -> None:
    anna.sandbox.idp.faults.fail(endpoint="*", times=-1)
    with pytest.raises(AppOnlyOff):
        grant_for(anna, registered(anna, kind, **columns))
    assert not Grant.objects.exists()


@pytest.mark.parametrize("kind", ["microsoft", "google"])
def test_nothing_happens_while_the_organisations_access_is_off(anna: SandboxMailbox, kind: str) -> None:
    client = registered(anna, kind)
    account = apponly.connect_app_only(draft(anna), client)
    TenantAccess.objects.update(is_on=False, code="canary_opened")
    for use in (lambda: grant_for(anna, client), lambda: open_imap(account), lambda: open_smtp(account)):
        with pytest.raises(OrganisationOff):
            use()
    report = sync_account(account.pk)
    assert report.error
    account.refresh_from_db()
    assert (account.status, account.status_code) == ("needs_admin", "organisation_off")

    TenantAccess.objects.update(is_on=True, code="")
    assert sync_account(account.pk).error is None


def test_an_access_counts_for_its_own_organisation_only(anna: SandboxMailbox) -> None:
    client = registered(anna, "google")
    TenantAccess.objects.update(tenant="another.test")
    with pytest.raises(OrganisationOff):
        grant_for(anna, client)
    assert not Grant.objects.exists()


def test_what_the_organisation_did_not_delegate_is_its_administrators_business(anna: SandboxMailbox) -> None:
    client = registered(anna, "google")
    anna.sandbox.idp.faults.withdraw_delegation()
    with pytest.raises(DelegationMissing):
        grant_for(anna, client)
    anna.sandbox.idp.faults.reset()
    with pytest.raises(UserUnknownAtProvider):
        apponly.grant_for(client, mailbox="nobody@sandbox.test")
    client.refresh_from_db()
    assert (client.alarm_code, Grant.objects.count()) == ("", 0)


def test_a_grant_that_ended_is_begun_anew_in_its_place(anna: SandboxMailbox) -> None:
    client = registered(anna, "microsoft")
    grant = grant_for(anna, client)
    Grant.objects.update(status=GrantStatus.ENDED)
    assert grant_for(anna, client) == grant
    assert Grant.objects.get().status == GrantStatus.ACTIVE
    assert GrantTokens(grant.pk).access_token()


def test_of_two_workers_at_the_same_moment_both_get_the_same_grant(anna: SandboxMailbox) -> None:
    client, start, found = registered(anna, "microsoft"), threading.Barrier(2), []

    def work() -> None:
        start.wait()
        found.append(grant_for(anna, client).pk)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [Grant.objects.get().pk] * 2


def test_a_grant_of_our_own_is_never_given_back_by_us(anna: SandboxMailbox) -> None:
    client = registered(anna, "microsoft")
    grant = grant_for(anna, client)
    assert not clients.provider_for(client).revoke(GrantState(grant.state.reveal()))
    assert GrantTokens(grant.pk).access_token(fresh=True)


# --- mailboxes -------------------------------------------------------------------------------------------------


def draft(anna: SandboxMailbox, **changes: Any) -> AccountDraft:
    sandbox = anna.sandbox
    return AccountDraft(
        **{"owner": make_user(), "address": anna.address, "imap": sandbox.imap, "smtp": sandbox.smtp, **changes}
    )


@pytest.fixture
def closed(anna: SandboxMailbox) -> SandboxMailbox:
    """Anna's mailbox, which its administrator doesn't open to applications."""
    sandbox, user = anna.sandbox, replace(anna.user, closed_to_apps=True)
    return replace(anna, user=sandbox.add_user(user))


@pytest.mark.parametrize("kind", ["microsoft", "google"])
def test_a_mailbox_is_connected_without_its_user_and_synced_as_any_other(anna: SandboxMailbox, kind: str) -> None:
    client = registered(anna, kind)
    account = apponly.connect_app_only(draft(anna), client, tenant=anna.sandbox.idp.tenant)
    credential = account.credentials.get()
    assert (credential.backend, credential.username, credential.secret) == ("app_only", anna.address, None)
    assert credential.grant == Grant.objects.get()
    assert AuditEntry.objects.get(account=account.pk).action == AuditAction.CONNECTED
    anna.sandbox.idp.faults.expire_access_tokens()
    assert sync_account(account.pk).error is None
    with open_smtp(account):
        pass


def test_many_mailboxes_share_one_grant(anna: SandboxMailbox, new_mailbox: Callable[[], SandboxMailbox]) -> None:
    client = registered(anna, "microsoft")
    for mailbox in (anna, new_mailbox(), new_mailbox()):
        apponly.connect_app_only(draft(mailbox), client)
    assert Grant.objects.get().credentials.count() == 3


@pytest.mark.parametrize("kind", ["microsoft", "google"])
def test_a_mailbox_that_is_closed_to_us_is_not_connected(closed: SandboxMailbox, kind: str) -> None:
    with pytest.raises(PermissionMissing, match=closed.address):
        apponly.connect_app_only(draft(closed), registered(closed, kind))
    assert not MailAccount.objects.exists()


@pytest.mark.parametrize("kind", ["microsoft", "google"])
def test_a_mailbox_that_was_closed_to_us_since_is_its_administrators_business(anna: SandboxMailbox, kind: str) -> None:
    account = apponly.connect_app_only(draft(anna), registered(anna, kind))
    anna.sandbox.add_user(replace(anna.user, closed_to_apps=True))
    for open_session in (open_imap, open_smtp):
        with pytest.raises(PermissionMissing, match=anna.address):
            open_session(account)
    assert [type(step.error) for step in probe_account(account) if step.error] == [MailboxClosed]
    anna.sandbox.add_user(anna.user)
    with open_imap(account), open_smtp(account):
        pass


def test_roles_that_were_given_since_the_last_token_count_at_once(anna: SandboxMailbox) -> None:
    client, faults = registered(anna, "microsoft"), anna.sandbox.idp.faults
    faults.withdraw_admin_consent()
    with pytest.raises(PermissionMissing):
        apponly.connect_app_only(draft(anna), client)
    faults.reset()
    assert apponly.connect_app_only(draft(anna), client).smtp


def test_a_token_without_roles_connects_nothing(anna: SandboxMailbox) -> None:
    """Entra gives one to everybody."""
    anna.sandbox.idp.faults.withhold_scopes("AsApp")
    with pytest.raises(PermissionMissing):
        apponly.connect_app_only(draft(anna), registered(anna, "microsoft"))
    assert not MailAccount.objects.exists()


def test_a_mailbox_that_can_not_send_is_not_connected_as_one_that_does(anna: SandboxMailbox) -> None:
    anna.sandbox.idp.faults.withhold_scopes("SendAsApp")
    client = registered(anna, "microsoft")
    with pytest.raises(PermissionMissing):
        apponly.connect_app_only(draft(anna), client)
    assert apponly.connect_app_only(draft(anna, smtp=None), client).smtp is None


def test_nothing_is_connected_unless_it_is_switched_on(anna: SandboxMailbox, settings: SettingsWrapper) -> None:
    with pytest.raises(AppOnlyOff):
        apponly.connect_app_only(draft(anna), registered(anna, "microsoft", app_only=False))
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "BACKENDS": ["mailaccounts.backends.xoauth2.XOAuth2Backend"]}
    OAuthClient.objects.update(app_only=True)
    with pytest.raises(AppOnlyOff):
        apponly.connect_app_only(draft(anna), OAuthClient.objects.get())
    assert (MailAccount.objects.count(), Grant.objects.count()) == (0, 0)


def test_a_mailbox_is_connected_once(anna: SandboxMailbox) -> None:
    client, wanted = registered(anna, "microsoft"), draft(anna)
    apponly.connect_app_only(wanted, client)
    with pytest.raises(AlreadyConnected):
        apponly.connect_app_only(wanted, client)


def test_attempts_are_counted(anna: SandboxMailbox, settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CONNECTION_TESTS": 1}
    client, wanted = registered(anna, "google"), draft(anna, address="nobody@sandbox.test")
    with pytest.raises(UserUnknownAtProvider):
        apponly.connect_app_only(wanted, client)
    with pytest.raises(TooManyAttempts):
        apponly.connect_app_only(wanted, client)


def test_disconnecting_one_of_many_leaves_the_grant(
    anna: SandboxMailbox, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    client = registered(anna, "microsoft")
    first, second = (apponly.connect_app_only(draft(each), client) for each in (anna, new_mailbox()))
    disconnect(first, erase_mail=False, actor=None)
    assert sync_account(second.pk).error is None
    disconnect(second, erase_mail=True, actor=None)
    assert not Grant.objects.exists()
