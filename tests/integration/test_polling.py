"""Many accounts in one job, and what an outage of their server costs."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.db.models import Sum
from django.utils import timezone
from django_q.models import OrmQ, Task

from mailaccounts import tasks
from mailaccounts.errors import AllowanceSpent, MailAccountsError
from mailaccounts.models import AccountStatus, MailAccount
from mailaccounts.services.limits import budget
from mailaccounts.services.signing_in import login
from mailaccounts.services.syncing import due, poll
from mailaccounts.services.syncing.sync import sync_account
from tests.app.builders import make_account, make_credential
from tests.crm_process import Cluster, environment, manage, wait_until
from tests.integration.hostile import Authority, HostileServer, Peer
from tests.letters import letter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from crm.models import Contact
    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox

ACCOUNTS = 12


@pytest.fixture
def accounts(
    world: Sandbox, new_mailbox: Callable[[], SandboxMailbox], contact: Contact, transactional_db: None
) -> list[MailAccount]:
    """Accounts with a letter each, that have been synced before."""
    made = []
    for _ in range(ACCOUNTS):
        mailbox = new_mailbox()
        mailbox.append(letter())
        columns = {"address": mailbox.address, "imap_host": world.imap.host, "imap_port": world.imap.port}
        made.append(make_account(**columns, status="ok", next_sync_at=timezone.now() - timedelta(seconds=1)))
        make_credential(made[-1], mailbox.password)
    return made


def statuses() -> list[tuple[str, str, int]]:
    return list(MailAccount.objects.order_by("pk").values_list("status", "status_code", "failures"))


@pytest.mark.parametrize("broker", ["database", "redis"])
def test_a_worker_polls_a_portion_at_the_same_time_and_leaves_no_rows_behind(
    request: pytest.FixtureRequest, accounts: list[MailAccount], world: Sandbox, tmp_path: Path, broker: str
) -> None:
    wrong = accounts[5]
    MailAccount.objects.filter(pk=wrong.pk).update(imap_port=1)
    redis = request.getfixturevalue("redis_url") if broker == "redis" else ""
    env = environment(REDIS_URL=redis, **world.environment())

    def polled(times: int) -> bool:
        busy = MailAccount.objects.exclude(lease_owner="").exists()
        wrong.refresh_from_db()
        return not busy and wrong.failures == times and MailAccount.objects.filter(last_sync_at=None).count() == 1

    with Cluster(tmp_path / "log", env=env):
        for times in (1, 2):
            MailAccount.objects.update(next_sync_at=timezone.now() - timedelta(seconds=1), last_sync_at=None)
            manage("shell", "-c", "from mailaccounts.services.syncing.due import enqueue_due; enqueue_due()", env=env)
            wait_until(partial(polled, times), what="a worker polls them")
    expected = [("ok", "", 0)] * ACCOUNTS
    expected[5] = ("waiting", "connection_refused", 2)
    assert statuses() == expected
    assert all(account.messages.count() == 1 for account in accounts if account != wrong)
    assert (Task.objects.count(), OrmQ.objects.count()) == (0, 0)


def test_threads_leave_no_connections_to_the_database_open(accounts: list[MailAccount]) -> None:
    before = sessions()
    tasks.sync(*(account.pk for account in accounts))
    assert statuses() == [("ok", "", 0)] * ACCOUNTS
    wait_until(lambda: sessions() <= before, what="PostgreSQL has seen all of them go")


def sessions() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def test_an_account_that_breaks_in_a_way_of_its_own_stops_none_of_the_others(
    accounts: list[MailAccount], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    original, secret = poll.sync_account, "the-" + "s3cret"

    def break_one(account_id: int) -> object:
        if account_id == accounts[3].pk:
            raise RuntimeError(secret)
        return original(account_id)

    monkeypatch.setattr(poll, "sync_account", break_one)
    tasks.sync(*(account.pk for account in accounts))
    assert MailAccount.objects.exclude(last_sync_at=None).count() == ACCOUNTS - 1
    assert "RuntimeError" in caplog.text and secret not in caplog.text


def test_a_portion_whose_time_is_over_leaves_the_rest_to_the_next_tick(
    accounts: list[MailAccount], settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "POLLS_AT_ONCE": 2}
    due.enqueue_due()
    OrmQ.objects.all().delete()
    clock = [0.0]
    monkeypatch.setattr(poll.time, "monotonic", lambda: clock[0])
    original = poll.sync_account

    def slowly(account_id: int) -> object:
        clock[0] += 25
        return original(account_id)

    monkeypatch.setattr(poll, "sync_account", slowly)
    tasks.sync(*(account.pk for account in accounts))
    done = MailAccount.objects.exclude(last_sync_at=None)
    assert 2 <= done.count() <= 4
    assert due.enqueue_due() == ACCOUNTS - done.count()


# --- when the server is down -----------------------------------------------------------------------------------


@contextmanager
def hangs_up_on_everybody() -> Iterator[tuple[int, list[int]]]:
    """The port of a server that takes connections and drops them, and how many those were."""
    count = [0]
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:

        def serve() -> None:
            while True:
                try:
                    accepted, _ = listener.accept()
                except OSError:
                    return
                count[0] += 1
                accepted.close()

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1], count
        listener.shutdown(socket.SHUT_RDWR)


def test_an_outage_costs_a_few_logins_and_not_one_for_each_account(world: Sandbox, transactional_db: None) -> None:
    with hangs_up_on_everybody() as (port, connections):
        for _ in range(100):
            make_credential(make_account(imap_host="localhost", imap_port=port, status="ok"))
        now = timezone.now()
        tasks.sync(*MailAccount.objects.values_list("pk", flat=True))
        most = 5 + 16  # those that open the circuit, and who was on the way by then
        assert 5 <= connections[0] <= most
        tasks.sync(*MailAccount.objects.values_list("pk", flat=True))
        assert connections[0] <= most
    assert set(MailAccount.objects.values_list("status", flat=True)) == {AccountStatus.WAITING}
    spared = MailAccount.objects.filter(status_code="server_down")
    assert spared.count() >= 100 - most
    blamed = MailAccount.objects.aggregate(failures=Sum("failures"))["failures"]
    assert blamed == connections[0], "nobody is blamed for what they didn't try"
    turns = sorted((each - now).total_seconds() for each in spared.values_list("next_sync_at", flat=True) if each)
    assert turns[0] >= 20
    assert turns[-1] <= 700
    assert turns[-1] - turns[0] > 300, "they come back one after the other"


def test_accounts_behind_an_open_circuit_go_on_when_the_server_is_back(
    accounts: list[MailAccount], world: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dovecot is there all the time; what the first five meet is a name that can't be looked up for a moment."""
    from mailaccounts.errors import HostLookupFailed
    from mailaccounts.mail.network import Network

    def unknown(*args: object, **kwargs: object) -> None:
        raise HostLookupFailed(host=world.imap.host)

    with monkeypatch.context() as patch:
        patch.setattr(Network, "connect", unknown)
        for account in accounts:
            sync_account(account.pk)
    assert [code for _, code, _ in statuses()] == ["host_lookup_failed"] * 5 + ["server_down"] * (ACCOUNTS - 5)
    assert sync_account(accounts[0].pk).error is not None, "it is too early to look"
    with monkeypatch.context() as patch:
        patch.setattr("mailaccounts.services.limits.breaker.time", Later())
        for account in accounts:
            assert sync_account(account.pk).error is None
    assert statuses() == [("ok", "", 0)] * ACCOUNTS


class Later:
    """A minute from now."""

    @staticmethod
    def time() -> float:
        return timezone.now().timestamp() + 60


# --- what a mailbox may be asked for ---------------------------------------------------------------------------


def test_a_mailbox_whose_connections_are_in_use_waits_without_blame(
    account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "CONNECTIONS", 1)
    with login.open_imap(account) as session:
        report = sync_account(account.pk)
        assert report.error is not None and report.error.code == "allowance_spent"
        assert statuses() == [("waiting", "allowance_spent", 0)]
        assert session.folders()
    assert sync_account(account.pk).error is None, "a session that has ended leaves its connection to the next"


def test_a_sync_that_has_spent_its_commands_stops_and_goes_on_later(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        mailbox.append(letter(), folder=f"Folder {number}")
    with monkeypatch.context() as patch:
        patch.setattr(budget, "COMMANDS", 20)
        patch.setattr(budget, "SETTLE_COMMANDS", 1)
        report = sync_account(account.pk)
        assert report.error is not None and report.error.code == "allowance_spent"
    assert statuses() == [("waiting", "allowance_spent", 0)]
    assert sync_account(account.pk).error is None
    assert account.messages.count() == 12


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (b"BAD Request is throttled. Suggested Backoff Time: 299995 milliseconds", 299.995),
        (b"NO [LIMIT] Maximum number of connections from user+IP exceeded", None),
        (b"NO [ALERT] Too many simultaneous connections. (Failure)", None),
        (b"NO [OVERQUOTA] Account exceeded command or bandwidth limits.", None),
    ],
)
def test_a_server_that_asks_for_a_rest_gets_it(
    account: MailAccount,
    authority: Authority,
    settings: SettingsWrapper,
    said: bytes,
    seconds: float | None,
) -> None:
    """From the next sync, and from whoever else would sign in to this mailbox."""

    def throttles(peer: Peer) -> None:
        peer.send(b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n")
        peer.send(peer.line().split()[0] + b" " + said + b"\r\n")

    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CA_BUNDLE": str(authority.ca_file)}
    with HostileServer(throttles, context=authority.context("localhost")) as server:
        MailAccount.objects.update(imap_port=server.port)
        report = sync_account(account.pk)
        assert report.error is not None and report.error.code == "throttled"
    account.refresh_from_db()
    assert account.status == AccountStatus.WAITING
    assert account.next_sync_at is not None
    in_seconds = (account.next_sync_at - timezone.now()).total_seconds()
    assert in_seconds >= (seconds or 53) - 1
    with pytest.raises(AllowanceSpent) as caught:
        login.open_imap(account)
    assert caught.value.retry_after <= (seconds or budget.ROOM_SECONDS)


def test_the_sentences_for_owners_name_nothing_but_the_host() -> None:
    for error in MailAccountsError.coded("server_down"), MailAccountsError.coded("allowance_spent"):
        assert error is not None
        assert "imap.example.test" in error(host="imap.example.test", retry_after=1.0).message  # type: ignore[arg-type]  # of every PutOff
