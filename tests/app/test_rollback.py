"""Going back to what an account signed in with before: proven first, possible until that is destroyed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from mailaccounts import tasks
from mailaccounts.crypto import Secret
from mailaccounts.errors import AlreadyMoving, MailAccountsError, WayBackGone, WayBackRefused
from mailaccounts.models import (
    AuditAction,
    AuditEntry,
    Credential,
    CredentialState,
    Grant,
    MailAccount,
    MigrationRun,
    MigrationStep,
)
from mailaccounts.rules.migration_states import MigrationState
from mailaccounts.services.moving import rollback
from mailaccounts.services.registering import clients
from mailaccounts.services.signing_in.login import open_imap, open_smtp
from mailaccounts.signals import credential_switched
from tests.app.builders import make_user
from tests.moving import consented, moved
from tests.sandbox_crm import connect_by_password

if TYPE_CHECKING:
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(anna: SandboxMailbox) -> MailAccount:
    """Anna's account, switched from her password to OAuth."""
    account = connect_by_password(anna, make_user())
    moved(account, anna)
    OrmQ.objects.all().delete()
    return account


def go_back(account: MailAccount) -> None:
    rollback.roll_back(account, actor=account.owner)
    account.refresh_from_db()


def test_the_password_is_in_use_again_and_the_grant_is_given_back(account: MailAccount, anna: SandboxMailbox) -> None:
    go_back(account)
    credential = account.credentials.get()
    assert (credential.backend, credential.state, credential.retired_at) == ("password", CredentialState.ACTIVE, None)
    assert not Grant.objects.exists()
    assert anna.sandbox.idp.faults.revoke(anna.address) == 0, "nothing is left to revoke at the provider"
    assert MigrationStep.objects.get().state == MigrationState.ROLLED_BACK
    assert OrmQ.objects.get().task["args"] == (account.pk,)
    with open_imap(account), open_smtp(account):
        pass


def test_it_is_noted_and_told(account: MailAccount) -> None:
    heard: list[dict[str, Any]] = []

    def hear(**sent: Any) -> None:
        heard.append({name: sent[name] for name in ("account_id", "old", "new")})

    credential_switched.connect(hear, dispatch_uid="test")
    go_back(account)
    credential_switched.disconnect(dispatch_uid="test")
    assert heard == [{"account_id": account.pk, "old": "xoauth2", "new": "password"}]
    entry = AuditEntry.objects.get(action=AuditAction.ROLLED_BACK)
    assert (entry.actor, entry.facts["old"], entry.facts["backend"]) == (account.owner, "xoauth2", "password")


def test_afterwards_the_account_can_be_switched_again(account: MailAccount, anna: SandboxMailbox) -> None:
    go_back(account)
    again = moved(account, anna)
    assert again.state == MigrationState.SWITCHED
    go_back(account)
    states = MigrationStep.objects.values_list("state", flat=True)
    assert list(states) == [MigrationState.ROLLED_BACK, MigrationState.ROLLED_BACK]
    assert account.credentials.get().backend == "password"


def test_a_password_that_is_refused_by_now_changes_nothing(account: MailAccount) -> None:
    kept = account.credentials.get(state=CredentialState.RETIRED)
    kept.secret = Secret("changed-elsewhere")
    kept.save()
    with pytest.raises(WayBackRefused) as refused:
        go_back(account)
    assert "no longer takes what" in refused.value.message
    assert_still_switched(account)


def test_a_password_that_may_not_send_any_more_changes_nothing(account: MailAccount) -> None:
    step = MigrationStep.objects.get()
    step.snapshot["smtp"] = "smtps://no-such-host.invalid"
    step.save()
    with pytest.raises(WayBackRefused):
        go_back(account)
    assert_still_switched(account)


def test_once_it_is_destroyed_there_is_no_way_back(account: MailAccount) -> None:
    Credential.objects.filter(state=CredentialState.RETIRED).update(retired_at=timezone.now() - timedelta(days=30))
    MailAccount.objects.update(clean_syncs=100)
    tasks.tick()
    entry = AuditEntry.objects.get(action=AuditAction.SECRET_DESTROYED)
    assert (entry.account, entry.actor, entry.facts) == (account.pk, None, {"backend": "password"})
    with pytest.raises(WayBackGone):
        go_back(account)
    assert MigrationStep.objects.get().state == MigrationState.SWITCHED


def test_the_way_back_stays_until_the_new_sign_in_has_synced_well(account: MailAccount) -> None:
    """Days alone don't do it: the account may be failing since the switch."""
    Credential.objects.filter(state=CredentialState.RETIRED).update(retired_at=timezone.now() - timedelta(days=30))
    MailAccount.objects.update(clean_syncs=2)
    tasks.tick()
    go_back(account)
    assert account.credentials.get().backend == "password"


def test_nobody_goes_back_while_another_move_is_being_proven(account: MailAccount, anna: SandboxMailbox) -> None:
    go_back(account)
    moved(account, anna)
    Credential.objects.filter(state=CredentialState.ACTIVE).update(backend="app_only")  # as an administrator's move
    consented(account, anna)
    with pytest.raises(AlreadyMoving):
        go_back(account)


def test_a_later_move_that_failed_keeps_nobody_from_going_back(account: MailAccount) -> None:
    run = MigrationRun.objects.create(to="app_only", client=clients.registered("microsoft"))
    MigrationStep.objects.create(run=run, account=account, address=account.address, state=MigrationState.FAILED)
    go_back(account)
    assert account.credentials.get().backend == "password"


def test_two_clicks_go_back_once(account: MailAccount) -> None:
    go_back(account)
    with pytest.raises(MailAccountsError):
        go_back(account)
    assert AuditEntry.objects.filter(action=AuditAction.ROLLED_BACK).count() == 1


def assert_still_switched(account: MailAccount) -> None:
    states = dict(account.credentials.values_list("backend", "state"))
    assert states == {"password": CredentialState.RETIRED, "xoauth2": CredentialState.ACTIVE}
    assert MigrationStep.objects.get().state == MigrationState.SWITCHED
    with open_imap(account):
        pass
