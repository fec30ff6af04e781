"""Our client secret expires while mailboxes are synced: one alarm for the operator, no account blamed."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone

from mailaccounts.crypto import Secret
from mailaccounts.models import AccountStatus, Grant, GrantStatus, MailAccount, OAuthClient
from mailaccounts.services.syncing.due import enqueue_due
from mailaccounts.services.syncing.sync import sync_account
from mailaccounts.testing.sandbox.switches import FOREVER
from tests.app.builders import make_account, make_credential
from tests.sandbox_crm import make_real_grant

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox

ACCOUNTS = 4


@pytest.fixture
def accounts(
    world: Sandbox, new_mailbox: Callable[[], SandboxMailbox], transactional_db: None, settings: SettingsWrapper
) -> list[MailAccount]:
    """Mailboxes of several people, connected through one registration that an administrator keeps, each synced."""
    settings.ADMINS = [("Olga", "olga@crm.test")]
    made = []
    for _ in range(ACCOUNTS):
        mailbox = new_mailbox()
        account = make_account(
            address=mailbox.address,
            imap_host=world.imap.host,
            imap_port=world.imap.port,
            smtp_host=world.smtp.host,
            smtp_port=world.smtp.port,
        )
        make_credential(account, backend="xoauth2", grant=make_real_grant(mailbox))
        made.append(account)
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": {}}
    sync_all_at_once()
    assert set(MailAccount.objects.values_list("status", flat=True)) == {AccountStatus.OK}
    return made


def sync_all_at_once() -> None:
    """As workers do it: at the same time."""

    def work(account_id: int) -> None:
        sync_account(account_id)
        connection.close()

    ids = MailAccount.objects.values_list("pk", flat=True)
    threads = [threading.Thread(target=work, args=[account_id]) for account_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def an_hour_later() -> None:
    """Every token has to be renewed."""
    now = timezone.now()
    Grant.objects.update(refreshed_at=now - timedelta(hours=1), expires_at=now - timedelta(seconds=1))


def test_an_expired_secret_is_one_alarm_and_no_account_is_blamed(
    accounts: list[MailAccount], world: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    an_hour_later()
    world.idp.faults.refuse("invalid_client", code=7000222, status=401, times=FOREVER)
    for _ in range(3):
        sync_all_at_once()
    alarms = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.name for record in alarms] == ["mailaccounts.services.registering.registrations"]
    assert [each.to for each in mail.outbox] == [["olga@crm.test"]]
    assert OAuthClient.objects.get().alarm_code == "client_secret_expired"
    assert set(MailAccount.objects.values_list("status", "failures")) == {(AccountStatus.WAITING, 3)}
    assert set(Grant.objects.values_list("status", flat=True)) == {GrantStatus.ACTIVE}
    assert not MailAccount.objects.filter(next_sync_at__isnull=True).exists()

    world.idp.faults.reset()
    sync_account(accounts[0].pk)  # it is this one's turn, and the others needn't wait for theirs
    assert OAuthClient.objects.get().alarm_code == ""
    assert enqueue_due() == ACCOUNTS - 1
    sync_all_at_once()
    assert set(MailAccount.objects.values_list("status", "failures")) == {(AccountStatus.OK, 0)}


def test_with_the_next_secret_in_place_nobody_notices_that_the_old_one_is_over(accounts: list[MailAccount]) -> None:
    client = OAuthClient.objects.get()
    client.client_secret, client.next_secret = Secret("over"), client.client_secret
    client.save()
    an_hour_later()
    sync_all_at_once()
    assert set(MailAccount.objects.values_list("status", "failures")) == {(AccountStatus.OK, 0)}
    client.refresh_from_db()
    assert (client.alarm_code, client.next_secret, mail.outbox) == ("", None, [])
