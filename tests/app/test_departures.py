"""A user who is deactivated or deleted: their mailboxes are disconnected, at once or at the latest by the tick."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from mailaccounts import tasks
from mailaccounts.crypto import Secret
from mailaccounts.models import (
    AccountStatus,
    AuditEntry,
    ConsentAttempt,
    Credential,
    Folder,
    Grant,
    MailAccount,
    Message,
)
from mailaccounts.queue import Job
from mailaccounts.selectors import receipts
from mailaccounts.services.connecting.connect import reconnect
from mailaccounts.services.connecting.receipt import Receipt
from mailaccounts.services.syncing.sync import sync_account
from tests.app.builders import make_account, make_credential, make_user
from tests.crm.builders import store_message
from tests.letters import CONTACT
from tests.sandbox_crm import leave_for_consent, make_real_grant

if TYPE_CHECKING:
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(anna: SandboxMailbox) -> MailAccount:
    """An account with mail, that signs in with a grant the provider knows and did with a password before."""
    sandbox = anna.sandbox
    account = make_account(
        address=anna.address,
        imap_host=sandbox.imap.host,
        imap_port=sandbox.imap.port,
        smtp_host="",
        next_sync_at=timezone.now(),
    )
    make_credential(account, grant=make_real_grant(anna), backend="xoauth2")
    make_credential(account, anna.password, state="retired", retired_at=timezone.now())
    Folder.objects.create(account=account, name="INBOX", uidvalidity=7, last_uid=42)
    store_message(account, sender=CONTACT, to=account.address)
    leave_for_consent(account, account.owner)
    return account


def deactivate(user: Any) -> None:
    user.is_active = False
    user.save()


def jobs() -> list[str]:
    return [each.task["func"] for each in OrmQ.objects.order_by("pk")]


def assert_disconnected(account: MailAccount, anna: SandboxMailbox) -> None:
    account.refresh_from_db()
    assert (account.status, account.next_sync_at) == (AccountStatus.DISCONNECTED, None)
    assert not (Credential.objects.exists() or Grant.objects.exists() or ConsentAttempt.objects.exists())
    assert account.folders.get().last_uid == 42
    assert account.messages.count() == 1
    receipt = Receipt.of(receipts().get())
    assert (receipt.mail, receipt.messages, receipt.by) == ("kept", 1, "")
    assert "deactivated" in receipt.why
    assert [each.outcome for each in receipt.permissions] == ["revoked"]
    assert anna.sandbox.idp.faults.revoke(anna.address) == 0, "nothing is left to revoke at the provider"


def test_deactivating_a_user_disconnects_before_any_worker_is_free(account: MailAccount, anna: SandboxMailbox) -> None:
    deactivate(account.owner)
    assert not Credential.objects.exists()
    assert jobs() == [Job.GIVE_BACK]
    tasks.give_back()
    assert_disconnected(account, anna)


def test_users_deactivated_behind_djangos_back_are_found_by_the_tick(
    account: MailAccount, anna: SandboxMailbox
) -> None:
    get_user_model().objects.filter(pk=account.owner_id).update(is_active=False)
    assert not receipts().exists()
    tasks.tick()
    assert_disconnected(account, anna)


def test_every_account_of_the_user_and_nobody_elses(account: MailAccount) -> None:
    also = make_credential(make_account(account.owner, status="needs_owner")).account
    others = make_credential().account
    deactivate(account.owner)
    tasks.tick()
    statuses = dict(MailAccount.objects.values_list("pk", "status"))
    assert statuses == {account.pk: "disconnected", also.pk: "disconnected", others.pk: "new"}
    assert Credential.objects.get().account == others


def test_it_is_done_once(account: MailAccount) -> None:
    deactivate(account.owner)
    for _ in range(3):
        tasks.tick()
    account.owner.save()
    assert receipts().count() == 1


def test_saving_any_other_user_disconnects_nothing(account: MailAccount) -> None:
    account.owner.save()
    deactivate(make_user())
    assert not receipts().exists()


def test_a_deactivation_that_is_rolled_back_disconnects_nothing(account: MailAccount) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        deactivate(account.owner)
        raise RuntimeError
    tasks.tick()
    account.refresh_from_db()
    assert account.status == AccountStatus.NEW


def test_a_user_who_is_active_again_before_that_is_committed_keeps_everything(account: MailAccount) -> None:
    with transaction.atomic():
        deactivate(account.owner)
        account.owner.is_active = True
        account.owner.save()
    tasks.tick()
    account.refresh_from_db()
    assert account.status == AccountStatus.NEW
    assert account.credentials.count() == 2


def test_a_user_who_comes_back_reconnects_in_place(account: MailAccount, anna: SandboxMailbox) -> None:
    deactivate(account.owner)
    tasks.tick()
    account.owner.is_active = True
    account.owner.save()
    tasks.tick()
    account.refresh_from_db()
    assert account.status == AccountStatus.DISCONNECTED
    browser = Client()
    browser.force_login(account.owner)
    page = browser.get(reverse("mailaccounts:account", args=[account.pk])).content.decode()
    assert "Reconnect" in page and "Sync now" not in page
    reconnect(account, backend="password", username="", secret=Secret(anna.password))
    assert sync_account(account.pk).error is None
    account.refresh_from_db()
    assert (account.status, account.messages.count()) == (AccountStatus.OK, 1)


def test_a_provider_that_is_down_holds_nothing_up(account: MailAccount, anna: SandboxMailbox) -> None:
    anna.sandbox.idp.faults.fail(endpoint="revoke", times=-1)
    deactivate(account.owner)
    tasks.tick()
    assert not Credential.objects.exists()
    anna.sandbox.idp.faults.reset()
    Grant.objects.update(refresh_until=timezone.now() - timedelta(seconds=1))
    tasks.tick()
    assert_disconnected(account, anna)


def test_deleting_a_user_ends_the_grants_at_the_provider_and_leaves_the_receipts(
    account: MailAccount, anna: SandboxMailbox
) -> None:
    address, owner = account.address, account.owner
    owner.delete()
    assert not (MailAccount.objects.exists() or Message.objects.exists() or Credential.objects.exists())
    assert jobs() == [Job.GIVE_BACK]
    tasks.give_back()
    assert not Grant.objects.exists()
    assert anna.sandbox.idp.faults.revoke(anna.address) == 0
    entry = receipts().get()
    receipt = Receipt.of(entry)
    assert (entry.owner, receipt.address, receipt.mail, receipt.erasing) == (None, address, "erased", False)
    assert [each.outcome for each in receipt.permissions] == ["revoked"]


def test_deleting_users_by_a_query_does_the_same(account: MailAccount, anna: SandboxMailbox) -> None:
    make_credential()
    get_user_model().objects.all().delete()
    tasks.give_back()
    assert not (MailAccount.objects.exists() or Grant.objects.exists())
    assert receipts().count() == 2
    assert anna.sandbox.idp.faults.revoke(anna.address) == 0


def test_a_deletion_that_is_rolled_back_ends_nothing(account: MailAccount, anna: SandboxMailbox) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        account.owner.delete()
        raise RuntimeError
    tasks.tick()
    account.refresh_from_db()
    assert account.status == AccountStatus.NEW
    assert not AuditEntry.objects.exists()
    assert anna.sandbox.idp.faults.revoke(anna.address) == 1
