"""Servers that can't push, won't, or mean harm, and a watcher that goes on watching everybody else."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from mailaccounts.mail import idle
from mailaccounts.models import MailAccount
from mailaccounts.rules import watching as rules
from mailaccounts.services.limits import watch_fleet
from tests.app.builders import make_account, make_credential
from tests.crm_process import wait_until
from tests.integration.hostile import Authority, HostileServer, Peer, imap_select, tag
from tests.sandbox_crm import world_of
from tests.sandbox_fixtures import new_user
from tests.watching import healthy, is_marked, queued_syncs, watching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.testing.sandbox import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _restless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watchers look after their accounts, and try again, many times a second."""
    monkeypatch.setattr(watch_fleet, "BEAT_SECONDS", 0.2)
    monkeypatch.setattr(rules, "FIRST_SECONDS", 0.1)


def signs_in(peer: Peer, *, idle: bool = True) -> bytes:
    """The honest part: everything up to the client's IDLE, whose tag is returned."""
    offered = b"IMAP4rev1 IDLE AUTH=PLAIN" if idle else b"IMAP4rev1 AUTH=PLAIN"
    peer.send(b"* OK hello\r\n")
    line = peer.line()
    peer.send(b"* CAPABILITY ", offered, b"\r\n", tag(line), b" OK done\r\n")
    line = peer.line()
    peer.send(b"+ \r\n")
    peer.line()
    peer.send(b"* CAPABILITY ", offered, b"\r\n", tag(line), b" OK in\r\n")
    imap_select(peer)
    return tag(peer.line())


class Crowd:
    """Plays ``script`` to everybody, each time with how many were there before."""

    def __init__(self, script: Callable[[Peer, int], None]) -> None:
        self.met = 0
        self._script, self._lock = script, threading.Lock()

    def __call__(self, peer: Peer) -> None:
        with self._lock:
            before, self.met = self.met, self.met + 1
        self._script(peer, before)


@pytest.fixture
def trusting(authority: Authority, settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = {
        **settings.MAILACCOUNTS, "CA_BUNDLE": str(authority.ca_file), "ALLOW_PRIVATE_HOSTS": ["127.0.0.0/8"],
    }  # fmt: skip


@contextmanager
def played(authority: Authority, script: Callable[[Peer, int], None]) -> Iterator[tuple[HostileServer, Crowd]]:
    crowd = Crowd(script)
    with HostileServer(crowd, context=authority.context()) as server:
        yield server, crowd


def account_at(server: HostileServer, **columns: object) -> MailAccount:
    made = make_account(imap_host="127.0.0.1", imap_port=server.port)
    make_credential(made)
    return healthy(made, **columns)


def stays(peer: Peer) -> None:
    """Says nothing more, whatever the client does, until it goes."""
    while True:
        peer.line()


def test_without_idle_an_account_is_polled_and_never_counts_as_watched(
    sandbox_of: Callable[[str], Sandbox], settings: SettingsWrapper
) -> None:
    sandbox = sandbox_of("neither")
    user = sandbox.add_user(new_user())
    settings.MAILACCOUNTS = world_of(sandbox, settings.MAILACCOUNTS)
    made = make_account(address=user.address, imap_host=sandbox.imap.host, imap_port=sandbox.imap.port)
    make_credential(made, user.password)
    account = healthy(made)
    with watching() as watcher:
        wait_until(lambda: watcher.status.failed, what="it has found out")
        wait_until(lambda: not is_marked(account), what="it is let go of")
        looks = watcher.looks
        wait_until(lambda: watcher.looks > looks + 3, what="some time passes")
        assert watcher.status.failed == 1, "the server isn't asked again for an hour"
        assert not is_marked(account)
    assert queued_syncs(account) == 0


@pytest.mark.usefixtures("trusting")
def test_where_idle_is_announced_and_refused_an_account_is_polled(authority: Authority) -> None:
    def refuses(peer: Peer, before: int) -> None:
        peer.send(signs_in(peer) + b" NO not today\r\n")
        stays(peer)

    with played(authority, refuses) as (server, crowd), watching() as watcher:
        account = account_at(server)
        wait_until(lambda: watcher.status.lost, what="it has found out")
        wait_until(lambda: not is_marked(account), what="it is let go of")
        assert crowd.met == 1


@pytest.mark.usefixtures("trusting")
def test_a_server_that_falls_silent_is_left_and_connected_to_again(
    authority: Authority, settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half dead: the connection stands, and nobody is there."""
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "WATCH_RENEW_SECONDS": 1}
    monkeypatch.setattr(idle, "ANSWER_SECONDS", 0.5)

    def falls_silent(peer: Peer, before: int) -> None:
        signs_in(peer)
        peer.send(b"+ idling\r\n")
        stays(peer)

    with played(authority, falls_silent) as (server, crowd), watching():
        account_at(server)
        wait_until(lambda: crowd.met >= 2, what="it connects again")


@pytest.mark.usefixtures("trusting")
def test_a_server_that_floods_is_left_alone_and_takes_nothing_from_others(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle, "BYTES_PER_RENEWAL", 200_000)
    flooded = threading.Event()

    def floods(peer: Peer, before: int) -> None:
        signs_in(peer)
        peer.send(b"+ idling\r\n")
        try:
            peer.stream(b"* OK Still here\r\n" * 1000 for _ in range(10_000))
        finally:
            flooded.set()

    def tells(peer: Peer, before: int) -> None:
        signs_in(peer)
        peer.send(b"+ idling\r\n")
        flooded.wait(30)
        peer.send(b"* 4 EXISTS\r\n")
        stays(peer)

    with played(authority, floods) as (bad, crowd), played(authority, tells) as (good, _), watching() as watcher:
        account_at(bad)
        account = account_at(good)
        watcher.wait_for(account)
        wait_until(lambda: watcher.status.lost, what="the flood is stopped")
        wait_until(lambda: watcher.status.changes, what="the other server is heard")
        assert watcher.watches(account)
        assert crowd.met < 10


@pytest.mark.usefixtures("trusting")
def test_a_server_that_takes_no_more_keeps_those_whose_mail_is_newest_and_room_for_syncs(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "mailaccounts.services.watching.watch_roll.SHARES", 100
    )  # one sign-in at a time, to count on six
    present = threading.Semaphore(6)

    def takes_six(peer: Peer, before: int) -> None:
        if not present.acquire(blocking=False):
            peer.send(b"* BYE [LIMIT] Too many connections\r\n")
            return
        try:
            signs_in(peer)
            peer.send(b"+ idling\r\n")
            stays(peer)
        finally:
            present.release()

    now = timezone.now()
    with played(authority, takes_six) as (server, _):
        accounts = [account_at(server, last_mail_at=now - timedelta(days=day)) for day in range(12)]
        with watching() as watcher:
            newest = [account.pk for account in accounts[:4]]
            marked = MailAccount.objects.exclude(watcher="").order_by("pk").values_list("pk", flat=True)
            wait_until(lambda: list(marked.all()) == newest, what="two connections are given back for syncs")
            watcher.wait_for(*accounts[:4])
            barely = account_at(server, last_mail_at=accounts[3].last_mail_at + timedelta(minutes=30))
            lively = account_at(server, last_mail_at=now)
            watcher.wait_for(lively)
            wait_until(lambda: watcher.status.watched == 4, what="another makes way")
            assert not watcher.watches(accounts[3]) and not watcher.watches(barely)
            assert watcher.watches(*accounts[:3])


def test_a_server_that_is_not_reached_costs_a_few_attempts_and_not_one_for_each_account(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rules, "FIRST_SECONDS", 60.0)
    for _ in range(20):
        made = make_account(imap_host="127.0.0.1", imap_port=1)
        make_credential(made)
        healthy(made)
    watched = MailAccount.objects.exclude(watcher="")
    with watching() as watcher:
        wait_until(lambda: watcher.status.failed, what="it tries")
        wait_until(lambda: not watched.exists(), what="they are let go of")
        looks = watcher.looks
        wait_until(lambda: watcher.looks > looks + 2, what="some time passes")
        assert watcher.status.failed <= 6, "as many as were under way when the first failed"
        assert not watched.exists()
