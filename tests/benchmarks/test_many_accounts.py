"""B6: polling many accounts in which nothing is new, beside bare threads that do no more than ask.

``B6_ACCOUNTS`` says how many are many.
"""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.forms import model_to_dict
from django.utils import timezone
from django_q.models import Schedule

from mailaccounts.models import Folder, MailAccount
from mailaccounts.services.syncing.sync import sync_account
from mailaccounts.testing.sandbox import Sandbox
from tests.benchmarks.conftest import connected
from tests.benchmarks.maildir import Maildir
from tests.benchmarks.measure import compare
from tests.benchmarks.test_polling import FOLDERS, ROUND_TRIP
from tests.crm_process import Cluster, Tick, environment, wait_until
from tests.letters import STRANGER, letter
from tests.proxy import in_a_process
from tests.sandbox_crm import world_of
from tests.sandbox_fixtures import SandboxMailbox, new_user

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True)]

ACCOUNTS = int(os.environ.get("B6_ACCOUNTS", "1000"))
THREADS = 32
ASK = b'LIST "" "*" RETURN (SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ))'


@pytest.fixture
def crowd(sandbox_directory: Path, settings: SettingsWrapper) -> Iterator[list[SandboxMailbox]]:
    """As many mailboxes."""
    with Sandbox(sandbox_directory, imap="dovecot", users=[new_user() for _ in range(ACCOUNTS)]) as sandbox:
        settings.MAILACCOUNTS = world_of(sandbox, settings.MAILACCOUNTS)
        yield [SandboxMailbox(sandbox=sandbox, user=user) for user in sandbox.users.read().values()]


def fill(first: SandboxMailbox, others: list[SandboxMailbox], *, port: int) -> None:
    """Gives the first mailbox twenty folders and syncs it; the others get copies of its files, and their accounts of
    its rows, as if each had been synced."""
    maildir = Maildir(mailbox=first)
    for number in range(FOLDERS - 4):  # INBOX, Sent, Drafts and Trash are there
        maildir.write(letter(STRANGER), when=datetime.now(UTC), folder=f"Folder {number}")
    example = connected(first)
    assert sync_account(example.pk).error is None
    example.refresh_from_db()
    for mailbox in others:
        subprocess.run(["cp", "-a", maildir.root, Maildir(mailbox=mailbox).root], check=True)
        account = connected(mailbox)
        rows = [Folder(**{**model_to_dict(row, exclude=["id"]), "account": account}) for row in example.folders.all()]
        Folder.objects.bulk_create(rows)
    MailAccount.objects.update(status=example.status, imap_port=port, next_sync_at=None)


def ask(mailboxes: list[SandboxMailbox], port: int, context: ssl.SSLContext) -> None:
    """With 32 bare threads: connect, log in, LIST with STATUS, log out. No queue, no database, no lease."""
    waiting = deque(mailboxes)

    def work() -> None:
        while waiting:
            try:
                mailbox = waiting.popleft()
            except IndexError:
                return
            ask_one(mailbox, port, context)

    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(work) for _ in range(THREADS)]:
            done.result()


def ask_one(mailbox: SandboxMailbox, port: int, context: ssl.SSLContext) -> None:
    with (
        socket.create_connection(("localhost", port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
        connection.makefile("rb") as answers,
    ):
        answers.readline()
        folders = 0
        for command in (f'LOGIN "{mailbox.address}" "{mailbox.password}"'.encode(), ASK, b"LOGOUT"):
            connection.sendall(b"A " + command + b"\r\n")
            while not (line := answers.readline()).startswith(b"A "):
                folders += line.startswith(b"* STATUS ")
            assert line.startswith(b"A OK"), line
        assert folders == FOLDERS


def test_polling_many_accounts(crowd: list[SandboxMailbox], redis_url: str, tmp_path: Path) -> None:
    sandbox = crowd[0].sandbox
    Schedule.objects.all().delete()  # else the cluster has ticks of its own
    env = environment(**sandbox.environment(), REDIS_URL=redis_url, Q_WORKERS="2", LOG_LEVEL="WARNING")
    trusted = ssl.create_default_context(cafile=str(sandbox.ca_file))

    def polled() -> bool:
        return not MailAccount.objects.filter(last_sync_at=None).exists()

    def ours() -> None:
        MailAccount.objects.update(next_sync_at=timezone.now() - timedelta(seconds=1), last_sync_at=None)
        assert tick() == ACCOUNTS
        wait_until(polled, what="all are polled")

    with in_a_process(sandbox.imap.port, round_trip=ROUND_TRIP) as proxy:
        fill(crowd[0], crowd[1:], port=proxy.port)
        with Cluster(tmp_path / "log", env=env), Tick(env) as tick:
            result = compare(
                f"B6 polling {ACCOUNTS} accounts of {FOLDERS} folders, {ROUND_TRIP * 1000:.0f} ms away",
                ours,
                peer_name=f"{THREADS} bare threads that reconnect",
                peer=lambda: ask(crowd, proxy.port, trusted),
                must=2.0,
            )
    rates = f"{ACCOUNTS / result.ours:.0f} and {ACCOUNTS / result.peer:.0f} accounts a second"
    print(f"\n{result.report()}\n{rates}")  # noqa: T201 - a benchmark is there to be read
    assert set(MailAccount.objects.values_list("status", "failures")) == {("ok", 0)}
    assert result.ratio <= result.must
