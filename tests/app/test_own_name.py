"""Accounts move to their organisation's access with their owners doing nothing, each proven, none of them lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from mailaccounts.errors import CanaryOpened, MailboxClosed, OrganisationOff, SendingClosed, Throttled
from mailaccounts.models import (
    Credential,
    CredentialState,
    Grant,
    MigrationRun,
    MigrationStep,
    TenantAccess,
)
from mailaccounts.rules.migration_states import MigrationState
from mailaccounts.services.limits import budget
from mailaccounts.services.moving import migrate, steps
from mailaccounts.services.organisations import members, tenants
from mailaccounts.services.syncing.sync import sync_account
from tests.app.organisations import by_password, let_in, move, registered, tokens_issued
from tests.sandbox_crm import switch_by_consent
from tests.sandbox_fixtures import new_user

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 20


@pytest.fixture
def access(world: Sandbox) -> TenantAccess:
    bird = world.add_user(replace(new_user(), closed_to_apps=True))
    return let_in(registered(world.idp), world.idp, canary=bird.address)


@pytest.fixture
def run(access: TenantAccess) -> MigrationRun:
    return MigrationRun.objects.create(to="app_only", client=access.client, tenant=access.tenant)


def yesterday() -> None:
    TenantAccess.objects.update(canary_checked_at=timezone.now() - timedelta(hours=25))


def test_an_account_moves_without_its_owner(run: MigrationRun, anna: SandboxMailbox) -> None:
    account = by_password(anna.sandbox, anna.user)
    step = move(account, run)
    assert (step.state, step.before, step.after) == (MigrationState.SWITCHED, "password", "app_only")
    assert "IMAP.AccessAsApp" in step.scopes
    states = dict(account.credentials.values_list("backend", "state"))
    assert states == {"app_only": CredentialState.ACTIVE, "password": CredentialState.RETIRED}
    assert sync_account(account.pk).error is None


def test_many_accounts_move_on_one_token(
    run: MigrationRun, world: Sandbox, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    accounts = [by_password(world, new_mailbox().user) for _ in range(MANY)]
    before = tokens_issued(world)
    yesterday()  # so that the canary is tried, once
    for account in accounts:
        assert move(account, run).state == MigrationState.SWITCHED
    assert tokens_issued(world) - before == 2  # the canary's, and everybody's
    active = Credential.objects.filter(state=CredentialState.ACTIVE)
    assert set(active.values_list("backend", flat=True)) == {"app_only"}
    assert Grant.objects.get().credentials.count() == MANY
    assert MigrationRun.objects.get().finished_at


def test_a_mailbox_that_is_closed_keeps_its_password_and_the_missing_lines_are_shown(
    run: MigrationRun, access: TenantAccess, anna: SandboxMailbox, admin_client: Client
) -> None:
    account = by_password(anna.sandbox, anna.user)
    anna.sandbox.add_user(replace(anna.user, closed_to_apps=True))
    with pytest.raises(MailboxClosed):
        move(account, run)
    step = MigrationStep.objects.get()
    assert (step.state, step.code) == (MigrationState.FAILED, "mailbox_closed")
    assert [each.backend for each in account.credentials.all()] == ["password"]
    assert sync_account(account.pk).error is None

    assert members.refused(access) == [members.Refused(address=anna.address, reading=True, sending=True)]
    page = admin_client.get(f"/admin/mailaccounts/tenantaccess/{access.pk}/change/").content.decode()
    assert f"Add-MailboxPermission -Identity &#x27;{anna.address}&#x27;" in page
    assert f"Add-RecipientPermission -Identity &#x27;{anna.address}&#x27;" in page

    anna.sandbox.add_user(anna.user)
    assert steps.cancel(step)
    assert move(account, run).state == MigrationState.SWITCHED
    assert members.refused(access) == []


def test_a_mailbox_that_could_only_be_read_does_not_lose_sending(
    run: MigrationRun, access: TenantAccess, anna: SandboxMailbox
) -> None:
    account = by_password(anna.sandbox, anna.user)
    anna.sandbox.idp.faults.withhold_scopes("SMTP.SendAsApp")
    with pytest.raises(SendingClosed):
        move(account, run)
    assert [each.backend for each in account.credentials.all()] == ["password"]
    assert members.refused(access) == [members.Refused(address=anna.address, reading=False, sending=True)]


def test_nothing_moves_once_the_canary_opens(run: MigrationRun, access: TenantAccess, anna: SandboxMailbox) -> None:
    account = by_password(anna.sandbox, anna.user)
    bird = anna.sandbox.users.find(access.canary)
    anna.sandbox.add_user(replace(bird, closed_to_apps=False))
    yesterday()
    with pytest.raises(OrganisationOff):
        move(account, run)
    access.refresh_from_db()
    assert (access.is_on, access.code) == (False, "canary_opened")
    assert not Grant.objects.exists()
    assert [each.backend for each in account.credentials.all()] == ["password"]
    assert sync_account(account.pk).error is None


def test_an_organisation_that_let_nobody_in_moves_nobody(
    run: MigrationRun, access: TenantAccess, anna: SandboxMailbox
) -> None:
    account = by_password(anna.sandbox, anna.user)
    TenantAccess.objects.all().delete()
    with pytest.raises(OrganisationOff):
        move(account, run)


def test_google_mailboxes_move_by_delegation(world: Sandbox, new_mailbox: Callable[..., SandboxMailbox]) -> None:
    anna = new_mailbox(domain="google.test")
    access = let_in(registered(world.idp, "google"), world.idp, tenant="google.test", canary="bird@google.test")
    run = MigrationRun.objects.create(to="app_only", client=access.client, tenant=access.tenant)
    account = by_password(anna.sandbox, anna.user)
    assert move(account, run).state == MigrationState.SWITCHED
    assert Grant.objects.get().subject == anna.address
    assert sync_account(account.pk).error is None


def test_a_server_with_no_room_is_tried_again_later(
    run: MigrationRun, anna: SandboxMailbox, settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = by_password(anna.sandbox, anna.user)
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "MOVES_AT_ONCE": 1}
    monkeypatch.setattr(budget, "WAIT_SECONDS", 0.05)
    with budget.at_most(account.imap_host), pytest.raises(Throttled):
        move(account, run)
    step = MigrationStep.objects.get()
    assert (step.state, step.code) == (MigrationState.CONSENTED, "throttled")
    assert step.next_at and step.next_at > timezone.now()
    assert migrate.go_on(step).state == MigrationState.SWITCHED


def test_an_owner_signs_in_while_the_organisations_access_rests(
    run: MigrationRun, access: TenantAccess, anna: SandboxMailbox
) -> None:
    account = by_password(anna.sandbox, anna.user)
    move(account, run)
    tenants.switch_off(access, CanaryOpened(canary=access.canary))
    assert sync_account(account.pk).error
    account.refresh_from_db()
    assert (account.status, account.notice_due) == ("needs_admin", True)
    assert "you can sign in to the mailbox yourself" in account.status_message

    switch_by_consent(account, anna)

    account.refresh_from_db()
    assert account.status == "new"  # nothing is wrong with it any more, and it was never synced
    assert sync_account(account.pk).error is None
    assert account.credentials.get(state=CredentialState.ACTIVE).backend == "xoauth2"
