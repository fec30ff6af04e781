"""Who watches which account, and what is queued when one changes: with the database alone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from mailaccounts.models import AccountStatus, Credential, MailAccount
from mailaccounts.services.limits import lease, watch_fleet
from mailaccounts.services.watching import watch_claims
from mailaccounts.services.watching.watch_syncs import APART_SECONDS, LOOK_SECONDS, Changes
from tests.app.builders import make_account, make_credential
from tests.watching import pass_seconds

if TYPE_CHECKING:
    from mailaccounts.services.watching.watch_claims import Watchable

pytestmark = pytest.mark.django_db(transaction=True)

NOW = timezone.now()


def make(**columns: Any) -> MailAccount:
    account = make_account(**{"status": AccountStatus.OK, "next_sync_at": NOW + timedelta(hours=2), **columns})
    make_credential(account)
    return account


def claim(
    watcher: str = "one", *, most: int = 100, except_hosts: tuple[str, ...] = (), except_ids: tuple[int, ...] = ()
) -> list[Watchable]:
    watch_fleet.report(watcher, most=100)
    return watch_claims.claim(watcher, most=most, except_hosts=except_hosts, except_ids=except_ids)


def ids(found: list[Watchable]) -> list[int]:
    return [each.pk for each in found]


def test_those_that_had_mail_last_come_first() -> None:
    old, never, new = make(last_mail_at=NOW - timedelta(days=3)), make(), make(last_mail_at=NOW)
    assert ids(claim(most=1)) == [new.pk]
    assert ids(claim(most=1)) == [old.pk]
    assert ids(claim()) == [never.pk]
    assert claim() == []


def test_an_account_has_one_watcher_until_that_is_silent_for_too_long() -> None:
    account = make()
    assert ids(claim("one")) == [account.pk]
    assert claim("two") == []
    pass_seconds(15)
    assert claim("two") == []
    watch_fleet.report("one", most=100)
    assert list(watch_claims.held("one")) == [account.pk]
    pass_seconds(15)
    assert claim("two") == [], "it gave a sign of life"
    pass_seconds(15)
    assert ids(claim("two")) == [account.pk]
    assert watch_claims.held("one") == {}


def test_who_slept_over_keeps_what_nobody_else_has_taken() -> None:
    account = make()
    claim("one")
    pass_seconds(600)
    watch_fleet.report("one", most=100)
    assert list(watch_claims.held("one")) == [account.pk]
    assert claim("two") == []


@pytest.mark.parametrize(
    "status", [AccountStatus.NEW, AccountStatus.WAITING, AccountStatus.NEEDS_OWNER, AccountStatus.DISCONNECTED]
)
def test_only_what_a_sync_found_well_is_watched(status: AccountStatus) -> None:
    account = make()
    claim()
    MailAccount.objects.update(status=status)
    assert watch_claims.held("one") == {}
    watch_claims.release("one", [account.pk])
    assert claim() == []


def test_an_account_without_a_credential_or_whose_owner_may_not_sign_in_is_left_alone() -> None:
    first, second = make(), make()
    Credential.objects.filter(account=first).delete()
    second.owner.is_active = False
    second.owner.save()
    assert claim() == []


def test_servers_and_accounts_can_be_passed_over() -> None:
    one, _, three = make(imap_host="a.test"), make(imap_host="b.test"), make(imap_host="a.test")
    assert ids(claim(except_hosts=("b.test",), except_ids=(three.pk,))) == [one.pk]


def test_a_new_credential_or_server_shows() -> None:
    account = make()
    (before,) = claim()
    Credential.objects.filter(account=account).delete()
    make_credential(account)
    after = watch_claims.held("one")[account.pk]
    assert after.sign_in != before.sign_in
    MailAccount.objects.update(imap_port=143)
    assert watch_claims.held("one")[account.pk].sign_in != after.sign_in


def test_an_account_let_go_of_is_polled_as_usual_and_not_before_it_would_be() -> None:
    later, sooner, never = make(), make(next_sync_at=NOW), make(next_sync_at=None)
    accounts = [later, sooner, never]
    claim()
    watch_claims.release("one", [each.pk for each in accounts])
    for account in accounts:
        account.refresh_from_db()
        assert account.watcher == ""
    assert later.next_sync_at is not None and later.next_sync_at < timezone.now() + timedelta(minutes=10)
    assert (sooner.next_sync_at, never.next_sync_at) == (NOW, None)


def test_nobody_lets_go_of_what_is_anothers() -> None:
    account = make()
    claim("one")
    watch_claims.release("two", [account.pk])
    assert list(watch_claims.held("one")) == [account.pk]


def test_accounts_of_a_lost_watcher_are_let_go_of_once_others_had_their_chance() -> None:
    account = make()
    claim("one")
    pass_seconds(70)
    watch_claims.release_lost()
    account.refresh_from_db()
    assert account.watcher == "one"
    pass_seconds(20)
    watch_claims.release_lost()
    account.refresh_from_db()
    assert account.watcher == ""


# --- how many each has -----------------------------------------------------------------------------------------


def shares(*watchers: str, free: int = 0) -> list[int]:
    return [watch_fleet.share(watcher, free=free) for watcher in watchers]


def test_who_is_alive_has_as_many_as_others_and_who_has_one_more_keeps_it() -> None:
    for _ in range(7):
        make()
    claim("one")
    assert shares("one") == [7]
    watch_fleet.report("two", most=100)
    assert shares("one", "two") == [4, 3]
    watch_fleet.report("three", most=1)
    assert shares("one", "two", "three", free=2) == [4, 4, 1]
    pass_seconds(30)
    watch_fleet.report("one", most=100)
    assert shares("one", "two", "three") == [7, 0, 0]
    watch_fleet.report("two", most=100)
    watch_fleet.leave("one")
    assert shares("two", free=7) == [7]


def test_who_does_not_reach_a_server_leaves_its_accounts_to_others() -> None:
    for host in ("a.test", "a.test", "b.test", "b.test"):
        make(imap_host=host)
    claim("one")
    watch_fleet.report("two", most=100, out_of_reach={"a.test", "b.test"})
    assert shares("one", "two") == [4, 0]
    watch_fleet.report("two", most=100, out_of_reach={"a.test"}, free=0)
    assert shares("one", "two") == [2, 2]


# --- changes ---------------------------------------------------------------------------------------------------


def queued() -> int:
    return OrmQ.objects.count()


def test_however_often_an_account_changes_one_sync_waits() -> None:
    account, changes = make(), Changes()
    for now in (0.0, 0.1, 2.0, 5.0):
        changes.note(account.pk, now)
        changes.queue(max(now, changes.next_at() or 0.0))
    assert queued() == 1
    assert changes.next_at() is None


def test_once_a_worker_has_been_there_the_next_change_queues_another() -> None:
    account, changes = make(), Changes()
    changes.note(account.pk, 0.0)
    changes.queue(0.0)
    healthy_again = {"next_sync_at": timezone.now() + timedelta(hours=2)}
    MailAccount.objects.update(**healthy_again)
    changes.note(account.pk, 0.1)
    assert changes.next_at() == APART_SECONDS, "not more than one a second"
    changes.queue(APART_SECONDS)
    assert queued() == 2


def test_what_changes_during_a_sync_waits_for_its_end() -> None:
    account, changes = make(), Changes()
    held = lease.claim(account)
    assert held is not None
    changes.note(account.pk, 0.0)
    changes.queue(0.0)
    assert (queued(), changes.next_at()) == (0, LOOK_SECONDS)
    lease.release(held, next_sync_at=timezone.now() + timedelta(hours=2))
    changes.queue(LOOK_SECONDS)
    assert (queued(), changes.next_at()) == (1, None)


def test_an_account_that_is_gone_or_disconnected_is_forgotten() -> None:
    account, changes = make(status=AccountStatus.DISCONNECTED), Changes()
    changes.note(account.pk, 0.0)
    changes.note(account.pk + 1, 0.0)
    changes.queue(0.0)
    assert (queued(), changes.next_at()) == (0, None)
