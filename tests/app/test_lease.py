"""One worker per account at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection, transaction
from django.utils import timezone

from mailaccounts.errors import LeaseLost
from mailaccounts.models import MailAccount
from mailaccounts.services.limits import lease
from tests.app.builders import make_account

pytestmark = pytest.mark.django_db(transaction=True)


def expire(account: MailAccount) -> None:
    MailAccount.objects.filter(pk=account.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_the_second_worker_is_sent_away() -> None:
    account = make_account()
    assert lease.claim(account) is not None
    assert lease.claim(account) is None


def test_an_account_let_go_can_be_claimed_again() -> None:
    account = make_account()
    first = lease.claim(account)
    assert first is not None
    assert lease.release(first)
    assert lease.claim(account) is not None


def test_the_lease_of_a_silent_worker_runs_out_and_the_account_is_due_at_once() -> None:
    account = make_account(next_sync_at=None)
    assert lease.claim(account) is not None
    account.refresh_from_db()
    assert account.next_sync_at == account.lease_until
    expire(account)
    assert lease.claim(account) is not None


def test_an_account_that_loses_worker_after_worker_waits_longer_each_time() -> None:
    account = make_account(next_sync_at=None)
    pauses = []
    for _ in range(4):
        assert lease.claim(account) is not None
        account.refresh_from_db()
        pauses.append((account.next_sync_at - account.lease_until).total_seconds() / 60)
        expire(account)
        account.refresh_from_db()
    assert pauses == [0, pytest.approx(1, rel=0.11), pytest.approx(2, rel=0.11), pytest.approx(4, rel=0.11)]
    assert account.failures == 3


def test_a_slow_worker_keeps_an_account_that_nobody_else_took() -> None:
    account = make_account()
    held = lease.claim(account)
    assert held is not None
    expire(account)
    lease.renew(held, stage="Reading")
    assert lease.claim(account) is None
    account.refresh_from_db()
    assert account.stage == "Reading"


def test_a_worker_whose_account_was_taken_can_neither_renew_nor_release_nor_write() -> None:
    account = make_account()
    late = lease.claim(account)
    expire(account)
    current = lease.claim(account)
    assert late is not None and current is not None
    with pytest.raises(LeaseLost):
        lease.renew(late)
    with pytest.raises(LeaseLost), transaction.atomic():
        make_account(address="written-before-the-check@example.test")
        lease.renew(late)
    assert not MailAccount.objects.filter(address="written-before-the-check@example.test").exists()
    assert not lease.release(late, failures=9)
    account.refresh_from_db()
    assert (account.lease_owner, account.failures) == (current.token, 0)


def test_the_lease_of_a_deleted_account_is_lost() -> None:
    account = make_account()
    held = lease.claim(account)
    account.delete()
    assert held is not None
    with pytest.raises(LeaseLost):
        lease.renew(held)


def test_of_many_that_claim_at_the_same_moment_one_gets_the_account() -> None:
    account = make_account()
    start = Barrier(8)

    def claim(_: int) -> lease.Lease | None:
        try:
            start.wait()
            return lease.claim(account)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(claim, range(8)))
    assert sum(each is not None for each in claims) == 1
