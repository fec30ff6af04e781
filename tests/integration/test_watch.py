"""Mail is noticed when it arrives at Dovecot, and so is what becomes of an account while it is watched."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from mailaccounts import tasks
from mailaccounts.mail.idle import Idle
from mailaccounts.models import AccountStatus, Credential, CredentialState, Grant, MailAccount
from mailaccounts.services.connecting.disconnect import Reason, cut
from mailaccounts.services.limits import lease, watch_fleet
from mailaccounts.services.syncing.sync import sync_account
from mailaccounts.services.watching import watch_claims, watch_login
from tests.app.builders import make_account, make_credential
from tests.crm_process import wait_until
from tests.letters import letter
from tests.sandbox_crm import switch_by_consent
from tests.watching import Watching, healthy, is_marked, lost_watcher, pass_seconds, queued_syncs, watching

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_django.fixtures import SettingsWrapper

    from crm.models import Contact
    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox


@pytest.fixture(autouse=True)
def _restless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watchers look after their accounts many times a second."""
    monkeypatch.setattr(watch_fleet, "BEAT_SECONDS", 0.2)


@pytest.fixture
def synced(account: MailAccount, contact: Contact) -> MailAccount:
    """An account that nothing is new in."""
    assert sync_account(account.pk).error is None
    return healthy(account)


def another(world: Sandbox, mailbox: SandboxMailbox) -> MailAccount:
    made = make_account(address=mailbox.address, imap_host=world.imap.host, imap_port=world.imap.port)
    make_credential(made, mailbox.password)
    assert sync_account(made.pk).error is None
    return healthy(made)


def logins(mailbox: SandboxMailbox) -> int:
    """Connections that were made to the mailbox."""
    return len(mailbox.rawlogs())


def wait_for_a_look(watcher: Watching) -> None:
    """Until the watcher has looked for accounts to take at least once from now on."""
    before = watcher.looks
    wait_until(lambda: watcher.looks > before + 1, what="it looks for accounts")


def work(account: MailAccount) -> int:
    """A worker does what is queued; how many syncs that were."""
    waiting = list(OrmQ.objects.order_by("pk"))
    for each in waiting:
        each.delete()
        tasks.sync(account.pk)
    return len(waiting)


# --- mail arrives ----------------------------------------------------------------------------------------------


def test_mail_that_arrives_has_its_account_synced_once_however_much_it_is(
    synced: MailAccount, mailbox: SandboxMailbox
) -> None:
    with watching() as watcher:
        watcher.wait_for(synced)
        for letters in (10, 20):
            heard = watcher.status.changes
            for _ in range(10):
                mailbox.append(letter())
            wait_until(partial(watcher.heard_more_than, heard), what=f"{letters} letters are heard of")
        wait_until(lambda: queued_syncs(synced), what="a sync is queued")
        assert queued_syncs(synced) == 1
        syncs = 0
        while synced.messages.count() < 20:
            syncs += work(synced)
        assert syncs <= 5


def test_a_change_during_a_sync_is_followed_by_another_sync(synced: MailAccount, mailbox: SandboxMailbox) -> None:
    held = lease.claim(synced)
    assert held is not None
    with watching() as watcher:
        watcher.wait_for(synced)
        mailbox.append(letter())
        wait_until(lambda: watcher.status.changes, what="the letter is heard of")
        assert queued_syncs(synced) == 0, "it would find the account taken"
        lease.release(held, next_sync_at=timezone.now() + timedelta(hours=1))
        wait_until(lambda: queued_syncs(synced) == 1, what="a sync is queued")


def test_an_account_that_is_due_anyway_does_not_wait_for_the_tick(
    synced: MailAccount, mailbox: SandboxMailbox
) -> None:
    healthy(synced, next_sync_at=timezone.now())
    with watching() as watcher:
        watcher.wait_for(synced)
        mailbox.append(letter())
        wait_until(lambda: queued_syncs(synced) == 1, what="a sync is queued")


def test_what_came_while_nobody_watched_is_noticed(synced: MailAccount, mailbox: SandboxMailbox) -> None:
    mailbox.append(letter())
    with watching():
        wait_until(lambda: queued_syncs(synced) == 1, what="a sync is queued")


def test_where_nothing_came_nothing_is_synced(synced: MailAccount) -> None:
    with watching() as watcher:
        watcher.wait_for(synced)
    assert queued_syncs(synced) == 0
    assert watcher.status.syncs == 0


def test_watching_never_takes_the_account_from_a_sync(synced: MailAccount) -> None:
    with watching() as watcher:
        watcher.wait_for(synced)
        report = sync_account(synced.pk)
    assert report.error is None


# --- connections end -------------------------------------------------------------------------------------------


def test_a_server_that_restarts_is_connected_to_again_and_what_came_meanwhile_is_noticed(
    synced: MailAccount, mailbox: SandboxMailbox, world: Sandbox
) -> None:
    with watching() as watcher:
        watcher.wait_for(synced)
        before = logins(mailbox)
        world.restart_imap()
        mailbox.append(letter())
        wait_until(lambda: queued_syncs(synced) == 1, what="a sync is queued")
        watcher.wait_for(synced)
        assert logins(mailbox) > before


def test_an_idle_is_renewed_in_time(
    synced: MailAccount, mailbox: SandboxMailbox, settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "WATCH_RENEW_SECONDS": 1}
    renewals, turn = [], Idle.turn

    def counted(idle: Idle, now: float) -> None:
        renewals.append(now)
        turn(idle, now)

    monkeypatch.setattr(Idle, "turn", counted)
    with watching() as watcher:
        watcher.wait_for(synced)
        wait_until(lambda: len(renewals) >= 2, what="IDLE is renewed")
        assert watcher.watches(synced)
        mailbox.append(letter())
        wait_until(lambda: queued_syncs(synced) == 1, what="a sync is queued")


def test_before_a_token_expires_the_account_signs_in_anew(
    synced: MailAccount, mailbox: SandboxMailbox, world: Sandbox
) -> None:
    switch_by_consent(synced, mailbox)
    healthy(synced)
    world.idp.faults.shorten_tokens(5)
    Grant.objects.update(expires_at=timezone.now())
    with watching() as watcher:
        watcher.wait_for(synced)
        first = logins(mailbox)
        expires_at = Grant.objects.get().expires_at
        wait_until(lambda: logins(mailbox) > first, what="it signs in anew")
        assert Grant.objects.get().expires_at > expires_at
        watcher.wait_for(synced)


@pytest.mark.parametrize("seconds", [5, 60, 3600])
def test_there_is_time_for_that_while_the_token_is_good(seconds: int) -> None:
    asked = time.monotonic()
    until = watch_login._until(timezone.now() + timedelta(seconds=seconds))
    assert until is not None
    assert seconds * 0.7 < until - asked < time.monotonic() - asked + seconds * 0.99


# --- accounts come, change and go ------------------------------------------------------------------------------


def test_accounts_are_picked_up_and_let_go_of_while_it_runs(
    world: Sandbox, synced: MailAccount, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    with watching() as watcher:
        watcher.wait_for(synced)
        later = another(world, new_mailbox())
        watcher.wait_for(later)
        cut(synced.pk, reason=Reason.ASKED)
        later.owner.is_active = False
        later.owner.save()
        wait_until(lambda: not watcher.watches(synced) and not watcher.watches(later), what="they are let go of")
        wait_until(lambda: not is_marked(synced) and not is_marked(later), what="the database has it as well")


def test_one_that_waits_for_its_owner_is_not_signed_in_to(synced: MailAccount, mailbox: SandboxMailbox) -> None:
    healthy(synced, status=AccountStatus.NEEDS_OWNER, next_sync_at=None)
    before = logins(mailbox)
    with watching() as watcher:
        wait_for_a_look(watcher)
    assert logins(mailbox) == before
    synced.refresh_from_db()
    assert synced.next_sync_at is None


def test_another_credential_is_used_as_soon_as_it_is_the_one_in_use(
    synced: MailAccount, mailbox: SandboxMailbox
) -> None:
    with watching() as watcher:
        watcher.wait_for(synced)
        before = logins(mailbox)
        switch_by_consent(synced, mailbox)
        healthy(synced)
        wait_until(lambda: logins(mailbox) >= before + 2, what="it signs in anew, after the proof")
        watcher.wait_for(synced)


def test_a_refused_password_is_judged_by_a_sync(synced: MailAccount) -> None:
    Credential.objects.filter(account=synced, state=CredentialState.ACTIVE).delete()
    make_credential(synced, "wrong")
    with watching() as watcher:
        wait_until(lambda: queued_syncs(synced) == 1, what="a sync is queued")
        synced.refresh_from_db()
        assert synced.status == AccountStatus.OK
        assert work(synced) == 1
        wait_until(lambda: not is_marked(synced), what="it is let go of")
        assert watcher.status.failed == 1, "one try: each counts towards a lock-out"
    synced.refresh_from_db()
    assert synced.status == AccountStatus.NEEDS_OWNER


# --- several watchers ------------------------------------------------------------------------------------------


def test_watchers_share_the_accounts_evenly_as_they_come_and_go(
    world: Sandbox, synced: MailAccount, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    accounts = [synced, *(another(world, new_mailbox()) for _ in range(4))]

    def settled(*watchers: Watching) -> None:
        """All are watched, by one each, and by each as many; and nothing moves any more."""
        wait_until(lambda: _is_even(watchers, accounts), what=f"{len(watchers)} watchers share the accounts")
        before = [set(watcher.watching()) for watcher in watchers]
        for watcher in watchers:
            wait_for_a_look(watcher)
        assert [set(watcher.watching()) for watcher in watchers] == before

    with watching() as one:
        settled(one)
        with watching() as two:
            settled(one, two)
            with watching(most=1) as small:
                settled(one, two, small)
            settled(one, two)
        settled(one)


def _is_even(watchers: Sequence[Watching], accounts: Sequence[MailAccount]) -> bool:
    watched = sorted(pk for watcher in watchers for pk in watcher.watching())
    numbers = [watcher.status.watched for watcher in watchers]
    return watched == sorted(each.pk for each in accounts) and max(numbers) - min(numbers) <= 1


def test_a_watcher_takes_over_from_one_that_is_silent(synced: MailAccount, mailbox: SandboxMailbox) -> None:
    lost = lost_watcher()
    with watching() as watcher:
        wait_for_a_look(watcher)
        assert not watcher.watches(synced)
        pass_seconds(60)
        watcher.wait_for(synced)
    assert watch_claims.held(lost) == {}


def test_an_account_whose_watcher_is_lost_is_polled_as_usual_again(synced: MailAccount) -> None:
    healthy(synced, next_sync_at=timezone.now() + timedelta(hours=3))
    lost_watcher()
    pass_seconds(120)
    tasks.tick()
    synced.refresh_from_db()
    assert synced.watcher == ""
    assert synced.next_sync_at < timezone.now() + timedelta(minutes=10)


def test_a_watcher_that_stops_lets_go_of_its_accounts_at_once(synced: MailAccount) -> None:
    with watching() as watcher:
        watcher.wait_for(synced)
        assert is_marked(synced)
    assert not is_marked(synced)
