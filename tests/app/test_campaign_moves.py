"""Campaigns against the sandbox: moved at once, by their owners, taken back; and everybody at it at the same time."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from django.core import mail
from django.db import connection

from mailaccounts.errors import MailAccountsError
from mailaccounts.models import AuditAction, AuditEntry, CredentialState, MailAccount, MigrationStep, TenantAccess
from mailaccounts.services.campaigns import campaign, campaign_work, readiness
from mailaccounts.services.moving import rollback
from mailaccounts.services.organisations import apponly
from mailaccounts.services.registering import clients
from mailaccounts.services.syncing.sync import sync_account
from tests.app.campaigns import make_administrator, make_owner, step_of
from tests.app.organisations import let_in, registered
from tests.sandbox_crm import connect_by_password, switch_by_consent

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailaccounts.models import MigrationRun, OAuthClient
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


def connected(mailbox: SandboxMailbox) -> MailAccount:
    """The mailbox's account, with its password."""
    return connect_by_password(mailbox, make_owner())


@pytest.fixture
def organisation(world: Any, anna: SandboxMailbox) -> OAuthClient:
    """A registration that the sandbox's organisation lets in."""
    client = registered(anna.sandbox.idp, authority=f"{anna.sandbox.idp.authority}/organizations")
    let_in(client, anna.sandbox.idp)
    return client


@pytest.fixture
def account(anna: SandboxMailbox) -> MailAccount:
    return connected(anna)


def started(*accounts: MailAccount, client: OAuthClient, to: str = "app_only") -> MigrationRun:
    found = readiness.judge(accounts, app_only=to == "app_only", client=client)
    run = campaign.create(found, name="Spring", to=to, client=client)
    campaign.start(run, pilot_only=False)
    return run


def backend_of(account: MailAccount) -> str:
    return account.credentials.get(state=CredentialState.ACTIVE).backend


def test_an_account_moves_without_its_owner_and_goes_on_syncing(
    organisation: OAuthClient, account: MailAccount
) -> None:
    run = started(account, client=organisation)
    campaign_work.work_on(account.pk)
    step = step_of(run, account)
    assert (step.state, step.code, step.after) == ("switched", "", "app_only")
    assert backend_of(account) == "app_only"
    assert account.credentials.get(state=CredentialState.RETIRED).backend == "password"
    run.refresh_from_db()
    assert run.finished_at is not None
    assert sync_account(account.pk).error is None
    assert mail.outbox == []


def test_the_accounts_of_a_tenant_share_one_grant(
    organisation: OAuthClient, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    accounts = [connected(new_mailbox()) for _ in range(4)]
    started(*accounts, client=organisation)
    for account in accounts:
        campaign_work.work_on(account.pk)
    assert set(map(backend_of, accounts)) == {"app_only"}
    grants = {account.credentials.get(state=CredentialState.ACTIVE).grant_id for account in accounts}
    assert len(grants) == 1


def test_a_mailbox_that_stays_closed_fails_in_words_and_keeps_its_password(
    organisation: OAuthClient, account: MailAccount, anna: SandboxMailbox
) -> None:
    anna.sandbox.add_user(replace(anna.user, closed_to_apps=True))
    run = started(account, client=organisation)
    campaign_work.work_on(account.pk)
    step = step_of(run, account)
    assert step.state == "failed"
    assert backend_of(account) == "password"
    assert sync_account(account.pk).error is None
    assert campaign.ask_owners(run) == 1
    campaign_work.work_on(account.pk)
    assert step_of(run, account).state == "invited"
    assert mail.outbox[0].to == [account.owner.email]


def test_access_that_went_off_meanwhile_asks_the_owner(organisation: OAuthClient, account: MailAccount) -> None:
    run = started(account, client=organisation)
    TenantAccess.objects.update(is_on=False)
    campaign_work.work_on(account.pk)
    assert step_of(run, account).state == "invited"
    assert backend_of(account) == "password"


def test_an_owner_who_was_invited_goes_the_campaigns_way(account: MailAccount, anna: SandboxMailbox) -> None:
    run = started(account, client=clients.registered("microsoft"), to="xoauth2")
    campaign_work.work_on(account.pk)
    assert step_of(run, account).state == "invited"
    switch_by_consent(account, anna)
    step = step_of(run, account)
    assert (step.state, step.after) == ("switched", "xoauth2")
    assert MigrationStep.objects.count() == 1


def test_a_group_goes_back_to_its_passwords(organisation: OAuthClient, account: MailAccount) -> None:
    run = started(account, client=organisation)
    campaign_work.work_on(account.pk)
    administrator = make_administrator()
    assert campaign.roll_back(run, actor=administrator) == 1
    assert campaign_work.enqueue_due() == 1
    campaign_work.work_on(account.pk)
    assert step_of(run, account).state == "rolled_back"
    assert backend_of(account) == "password"
    assert AuditEntry.objects.get(action=AuditAction.ROLLED_BACK).actor == administrator
    assert sync_account(account.pk).error is None


def test_what_can_not_go_back_says_why_and_stays_moved(organisation: OAuthClient, account: MailAccount) -> None:
    run = started(account, client=organisation)
    campaign_work.work_on(account.pk)
    account.credentials.filter(state=CredentialState.RETIRED).delete()
    campaign.roll_back(run, actor=None)
    campaign_work.work_on(account.pk)
    step = step_of(run, account)
    assert (step.state, step.code, step.next_at) == ("switched", "way_back_gone", None)
    assert backend_of(account) == "app_only"


def test_an_owner_goes_back_while_the_group_does(organisation: OAuthClient, account: MailAccount) -> None:
    run = started(account, client=organisation)
    campaign_work.work_on(account.pk)
    campaign.roll_back(run, actor=None)
    both_at_once(lambda: campaign_work.work_on(account.pk), lambda: rollback.roll_back(account, actor=account.owner))
    assert step_of(run, account).state == "rolled_back"
    assert backend_of(account) == "password"
    assert account.credentials.exclude(state=CredentialState.ACTIVE).count() == 0


def test_an_owner_consents_while_the_campaign_is_cancelled(account: MailAccount, anna: SandboxMailbox) -> None:
    run = started(account, client=clients.registered("microsoft"), to="xoauth2")
    campaign_work.work_on(account.pk)
    both_at_once(lambda: switch_by_consent(account, anna), lambda: campaign.cancel(run))
    step = MigrationStep.objects.filter(account=account).order_by("-created_at").first()
    assert step is not None
    moved = step.state == "switched"
    assert backend_of(account) == ("xoauth2" if moved else "password")
    assert not account.credentials.filter(state=CredentialState.PENDING).exists()


def test_a_grant_that_was_let_go_of_meanwhile_is_asked_for_again(
    organisation: OAuthClient, account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the only other account of the organisation fails this very moment."""
    run = started(account, client=organisation)
    grant_for = apponly.grant_for

    def and_gone(*arguments: Any, **named: Any) -> Any:
        grant = grant_for(*arguments, **named)
        type(grant).objects.filter(pk=grant.pk).delete()
        return grant

    with monkeypatch.context() as patch:
        patch.setattr(apponly, "grant_for", and_gone)
        campaign_work.work_on(account.pk)
    step = step_of(run, account)
    assert (step.state, step.code) == ("chosen", "account_busy")
    campaign_work.work_on(account.pk)
    assert step_of(run, account).state == "switched"


def test_two_administrators_start_the_rest_at_the_same_time(
    organisation: OAuthClient, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    accounts = [connected(new_mailbox()) for _ in range(3)]
    found = readiness.judge(accounts, app_only=False, client=organisation)
    run = campaign.create(found, name="Spring", to="xoauth2", client=organisation)
    numbers: list[int] = []
    both_at_once(*(lambda: numbers.append(campaign.start(run, pilot_only=False)) for _ in range(2)))
    assert sorted(numbers) == [0, 3]
    both_at_once(campaign_work.enqueue_due, campaign_work.enqueue_due)
    both_at_once(*(lambda: [campaign_work.work_on(each.pk) for each in accounts] for _ in range(2)))
    assert len(mail.outbox) == 3


def test_two_workers_at_one_step_move_it_once(organisation: OAuthClient, account: MailAccount) -> None:
    run = started(account, client=organisation)
    both_at_once(lambda: campaign_work.work_on(account.pk), lambda: campaign_work.work_on(account.pk))
    campaign_work.work_on(account.pk)
    assert step_of(run, account).state == "switched"
    assert backend_of(account) == "app_only"
    assert account.credentials.count() == 2


def both_at_once(*works: Callable[[], object]) -> None:
    """Runs them in threads that start together; what one raises because the other was faster is no matter."""
    ready = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        try:
            ready.wait()
            work()
        except MailAccountsError as error:  # who was slower
            lost.append(error)
        finally:
            connection.close()

    lost: list[MailAccountsError] = []
    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lost) < len(works), lost
