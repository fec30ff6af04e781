"""Ten minutes without the identity provider or the mail server: accounts wait, nobody is told, mail flows again."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.core import mail
from django.db.models import F
from django.utils import timezone
from django_q.models import OrmQ

from mailaccounts import tasks
from mailaccounts.models import AccountStatus, Credential, Grant, GrantStatus, MailAccount, OAuthClient
from mailaccounts.oauth import pinned, transport
from mailaccounts.oauth.discovery import documents
from mailaccounts.queue import Job
from mailaccounts.services.syncing.sync import sync_account
from mailaccounts.signals import account_status_changed
from mailaccounts.testing.sandbox.switches import FOREVER
from tests.crm.builders import make_contact
from tests.integration.hostile import Authority, HostileServer, Peer
from tests.letters import CONTACT, letter
from tests.sandbox_crm import switch_by_consent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from tests.sandbox_fixtures import SandboxMailbox

JOBS = {Job.SYNC: tasks.sync, Job.NOTIFY: tasks.notify, Job.GIVE_BACK: tasks.give_back}


@pytest.fixture
def statuses() -> Iterator[set[str]]:
    """Every status that any account was in."""
    seen: set[str] = set()

    def hear(*, status: str, **_: object) -> None:
        seen.add(status)

    account_status_changed.connect(hear, dispatch_uid="test")
    yield seen
    account_status_changed.disconnect(dispatch_uid="test")


@pytest.fixture
def running(account: MailAccount, mailbox: SandboxMailbox) -> MailAccount:
    """An account with OAuth, synced and due every five minutes, whose owner has an address."""
    make_contact(CONTACT)
    mailbox.append(letter())
    switch_by_consent(account, mailbox)
    assert sync_account(account.pk).stored == 1
    account.owner.email = "anna@work.test"
    account.owner.save()
    account.refresh_from_db()
    OrmQ.objects.all().delete()
    return account


def pass_minutes(minutes: int) -> None:
    """The clock moves on, a tick each minute, and a worker does what is queued."""
    for _ in range(minutes):
        MailAccount.objects.update(next_sync_at=F("next_sync_at") - timedelta(minutes=1))
        tasks.tick()
        work()


def work() -> None:
    for each in list(OrmQ.objects.order_by("pk")):
        job, arguments = each.task["func"], each.task["args"]
        each.delete()
        JOBS[job](*arguments)


def expire_token() -> None:
    now = timezone.now()
    Grant.objects.update(refreshed_at=now - timedelta(hours=1), expires_at=now)


# --- what can happen to an identity provider -------------------------------------------------------------------


@contextmanager
def answers_503(mailbox: SandboxMailbox, authority: Authority) -> Iterator[None]:
    mailbox.sandbox.idp.faults.fail(status=503, times=FOREVER, endpoint="*")
    yield
    mailbox.sandbox.idp.faults.reset()


@contextmanager
def throttles(mailbox: SandboxMailbox, authority: Authority) -> Iterator[None]:
    mailbox.sandbox.idp.faults.throttle(retry_after=30, times=FOREVER)
    yield
    mailbox.sandbox.idp.faults.reset()


@contextmanager
def says_nothing_at_all(mailbox: SandboxMailbox, authority: Authority) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, socket.create_server(("127.0.0.1", 0)) as mute:
        for each in (transport, pinned):
            patch.setattr(each, "CONNECT_SECONDS", 0.2)
        with at(f"https://localhost:{mute.getsockname()[1]}"):
            yield


@contextmanager
def is_somebody_else(mailbox: SandboxMailbox, authority: Authority) -> Iterator[None]:
    """TLS: a server with a certificate of an authority that nobody trusts."""
    server = HostileServer(hangs_up, context=authority.context("localhost"))
    with server, at(f"https://localhost:{server.port}"):
        yield


@contextmanager
def refuses(mailbox: SandboxMailbox, authority: Authority) -> Iterator[None]:
    with socket.socket() as nobody:  # bound, and never listening
        nobody.bind(("127.0.0.1", 0))
        with at(f"https://localhost:{nobody.getsockname()[1]}"):
            yield


@contextmanager
def has_no_name(mailbox: SandboxMailbox, authority: Authority) -> Iterator[None]:
    with at("https://login.outage.invalid"):
        yield


@contextmanager
def at(url: str) -> Iterator[None]:
    """The way to the provider ends at ``url``."""
    client = OAuthClient.objects.get()
    OAuthClient.objects.update(authority=f"{url}/{client.tenant}")
    yield
    OAuthClient.objects.update(authority=client.authority)


@pytest.mark.parametrize(
    "outage", [answers_503, throttles, says_nothing_at_all, is_somebody_else, refuses, has_no_name]
)
def test_ten_minutes_without_the_identity_provider(
    running: MailAccount,
    mailbox: SandboxMailbox,
    authority: Authority,
    statuses: set[str],
    outage: Callable[[SandboxMailbox, Authority], AbstractContextManager[None]],
) -> None:
    before = list(Credential.objects.values())
    expire_token()
    with outage(mailbox, authority):
        documents.forget()
        mailbox.append(letter())
        pass_minutes(10)
        running.refresh_from_db()
        assert running.status == AccountStatus.WAITING
        assert running.failures >= 2
    documents.forget()
    pass_minutes(10)
    running.refresh_from_db()
    assert (running.status, running.failures) == (AccountStatus.OK, 0)
    assert running.messages.count() == 2, "what arrived in the meantime is there"
    assert statuses <= {"waiting", "ok"}
    assert mail.outbox == []
    assert list(Credential.objects.values()) == before
    assert Grant.objects.get().status == GrantStatus.ACTIVE
    assert OAuthClient.objects.get().alarm_code == ""


# --- what can happen to a mail server --------------------------------------------------------------------------


def says_bye(peer: Peer) -> None:
    peer.send(b"* BYE Shutting down\r\n")


def says_it_is_unavailable(peer: Peer) -> None:
    peer.send(b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2] ready\r\n")
    tag = peer.line().split()[0]
    peer.send(tag + b" NO [UNAVAILABLE] Temporary authentication failure.\r\n")


def says_nothing(peer: Peer) -> None:
    peer.line()


def hangs_up(peer: Peer) -> None:
    """Not even a greeting."""


@pytest.mark.parametrize("script", [says_bye, says_it_is_unavailable, says_nothing, hangs_up])
def test_ten_minutes_with_a_mail_server_out_of_order(
    running: MailAccount,
    mailbox: SandboxMailbox,
    authority: Authority,
    statuses: set[str],
    settings: SettingsWrapper,
    tmp_path: Path,
    script: Callable[[Peer], None],
) -> None:
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(mailbox.sandbox.ca_file.read_bytes() + authority.ca_file.read_bytes())
    usual = {**settings.MAILACCOUNTS, "CA_BUNDLE": str(trusted)}
    settings.MAILACCOUNTS = {**usual, "LEASE_SECONDS": 2, "SYNC_BUDGET": 1}
    with HostileServer(script, context=authority.context("localhost")) as server:
        assert_waits(running, mailbox, imap_port=server.port)
    settings.MAILACCOUNTS = usual
    assert_goes_on(running, statuses)


@pytest.mark.parametrize("way", ["refused", "somebody else's certificate", "no name"])
def test_ten_minutes_without_the_mail_server(
    running: MailAccount,
    mailbox: SandboxMailbox,
    authority: Authority,
    statuses: set[str],
    closed_port: int,
    way: str,
) -> None:
    with HostileServer(hangs_up, context=authority.context("localhost")) as impostor:
        where = {
            "refused": {"imap_port": closed_port},
            "somebody else's certificate": {"imap_port": impostor.port},
            "no name": {"imap_host": "imap.outage.invalid"},
        }
        assert_waits(running, mailbox, **where[way])
    assert_goes_on(running, statuses)


def assert_waits(account: MailAccount, mailbox: SandboxMailbox, **where: object) -> None:
    """Ten minutes with the mail server ``where``."""
    MailAccount.objects.update(**where)
    mailbox.append(letter())
    pass_minutes(10)
    was = MailAccount.objects.get(pk=account.pk)
    assert was.status == AccountStatus.WAITING
    assert was.failures >= 2


def assert_goes_on(account: MailAccount, statuses: set[str]) -> None:
    """Ten minutes with the mail server as it was."""
    MailAccount.objects.update(imap_host=account.imap_host, imap_port=account.imap_port)
    pass_minutes(10)
    account.refresh_from_db()
    assert (account.status, account.failures) == (AccountStatus.OK, 0)
    assert account.messages.count() == 2, "what arrived in the meantime is there"
    assert statuses <= {"waiting", "ok"}
    assert mail.outbox == []
    assert Grant.objects.get().status == GrantStatus.ACTIVE


# --- and what is no outage -------------------------------------------------------------------------------------


def test_a_token_revoked_at_the_provider_is_told_to_the_owner_once_and_the_reconnect_works(
    running: MailAccount, mailbox: SandboxMailbox, statuses: set[str]
) -> None:
    mailbox.sandbox.idp.faults.revoke(mailbox.address)
    pass_minutes(30)
    for _ in range(3):  # somebody who doesn't believe it
        tasks.sync(running.pk)
        work()
    (notice,) = mail.outbox
    assert notice.to == ["anna@work.test"]
    running.refresh_from_db()
    assert (running.status, running.next_sync_at) == (AccountStatus.NEEDS_OWNER, None)

    mailbox.append(letter())
    switch_by_consent(running, mailbox)
    pass_minutes(6)
    running.refresh_from_db()
    assert (running.status, running.messages.count()) == (AccountStatus.OK, 2)
    assert len(mail.outbox) == 1
    assert statuses == {"needs_owner", "ok"}

    mailbox.sandbox.idp.faults.revoke(mailbox.address)
    pass_minutes(10)
    assert len(mail.outbox) == 2, "this is something new"
