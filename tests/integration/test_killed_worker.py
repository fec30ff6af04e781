"""A worker that is killed at any moment loses nothing, doubles nothing and announces everything."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from django.db import connection

from crm.models import TimelineEntry
from mailaccounts.models import MailAccount, MessageUid
from mailaccounts.services.limits import lease
from mailaccounts.services.syncing.sync import sync_account
from tests.app.builders import make_account
from tests.crm.builders import make_contact
from tests.crm_process import ROOT, environment, wait_until
from tests.letters import CONTACT, STRANGER, letter, new_id

if TYPE_CHECKING:
    from tests.sandbox_fixtures import SandboxMailbox

MESSAGES = 60

# The command of the product, made to stop for good at the given call of the given function.
FREEZE = """
import importlib, sys, threading
import django
django.setup()
from django.core.management import execute_from_command_line
module, name, calls, address = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
module = importlib.import_module(module)
original = getattr(module, name)
seen = 0
def frozen(*args, **kwargs):
    global seen
    seen += 1
    if seen == calls:
        print("frozen", flush=True)
        threading.Event().wait()
    return original(*args, **kwargs)
setattr(module, name, frozen)
execute_from_command_line(["manage.py", "sync_mailboxes", address])
"""


@pytest.fixture
def truth(mailbox: SandboxMailbox) -> list[str]:
    """The Message-IDs of what concerns the contact, in a mailbox that also holds other mail."""
    ids = []
    for number in range(MESSAGES):
        if number % 2:
            ids.append(new_id())
            mailbox.append(letter(message_id=ids[-1]), "INBOX" if number % 4 == 1 else "Projects")
        else:
            mailbox.append(letter(STRANGER))
    return ids


def start(mailbox: SandboxMailbox, *stop_at: object, stderr: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    env = environment(**mailbox.sandbox.environment())
    return subprocess.Popen(
        [sys.executable, "-c", FREEZE, *map(str, stop_at), mailbox.address],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=stderr,
    )


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def free_lease(account: MailAccount) -> None:
    """Time passes: the lease of the dead worker runs out."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE mailaccounts_mailaccount SET lease_until = now() - interval '1 second'")
    account.refresh_from_db()


def assert_complete(account: MailAccount, truth: list[str]) -> None:
    assert Counter(account.messages.values_list("message_id", flat=True)) == Counter(truth)
    places = MessageUid.objects.filter(folder__account=account)
    assert places.count() == len(truth)
    assert not account.messages.filter(announced=False).exists()
    assert not account.messages.filter(has_body=False).exists()
    entries = TimelineEntry.objects.values_list("message__message_id", flat=True)
    assert Counter(entries) == Counter(truth)


@pytest.mark.parametrize(
    "stop_at",
    [
        ("mailaccounts.services.syncing.bodies", "parse_message", 3),  # bodies on the way
        ("mailaccounts.services.syncing.store", "renew", 1),  # the transaction has begun
        ("mailaccounts.services.storing.summaries", "refresh_of", 1),  # messages written, not committed
        ("mailaccounts.services.telling.announce", "_tell", 1),  # committed, nobody told
        ("mailaccounts.services.telling.announce", "_tell", 2),  # some told
        ("mailaccounts.services.storing.summaries", "refresh_of", 2),  # in the second folder
    ],
    ids=lambda stop: f"{stop[1]}-{stop[2]}",
)
def test_a_worker_killed_at_that_point_loses_and_doubles_nothing(
    account: MailAccount, mailbox: SandboxMailbox, truth: list[str], stop_at: tuple[str, str, int]
) -> None:
    make_contact(CONTACT)
    worker = start(mailbox, *stop_at)
    try:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"frozen\n"
        busy = sync_account(account.pk)
        assert busy.error is not None and busy.error.code == "account_busy"
    finally:
        kill(worker)
    free_lease(account)
    report = sync_account(account.pk)
    assert report.error is None
    assert_complete(account, truth)
    assert sync_account(account.pk).examined == 0


@pytest.mark.parametrize("stored", [1, 8, 20])
def test_a_worker_killed_whenever_loses_and_doubles_nothing(
    account: MailAccount, mailbox: SandboxMailbox, truth: list[str], stored: int
) -> None:
    """Killed from outside as soon as the database shows some progress, wherever the worker is by then."""
    make_contact(CONTACT)
    worker = start(mailbox, "mailaccounts.services.syncing.sync", "announce", 99)
    try:
        announced = account.messages.filter(announced=True)
        wait_until(
            lambda: announced.count() >= stored or worker.poll() is not None, what="the worker stores something"
        )
    finally:
        kill(worker)
    free_lease(account)
    assert sync_account(account.pk).error is None
    assert_complete(account, truth)


@pytest.mark.parametrize(
    ("number", "status", "sentence"),
    [(signal.SIGINT, 130, b"Interrupted."), (signal.SIGTERM, 143, b"Terminated.")],
)
def test_a_command_interrupted_says_so_and_lets_go_of_its_account(
    account: MailAccount,
    mailbox: SandboxMailbox,
    truth: list[str],
    number: signal.Signals,
    status: int,
    sentence: bytes,
) -> None:
    make_contact(CONTACT)
    with start(mailbox, "mailaccounts.services.syncing.bodies", "parse_message", 3, stderr=subprocess.PIPE) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == b"frozen\n"
        command.send_signal(number)
        _, said = command.communicate(timeout=60)
    assert command.returncode == status
    assert sentence in said and b"Traceback" not in said
    assert sync_account(account.pk).error is None
    assert_complete(account, truth)


def test_a_worker_that_lost_its_lease_writes_nothing_more(
    account: MailAccount, mailbox: SandboxMailbox, truth: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It slept through its lease, in the middle of its work, and another worker has begun."""
    from mailaccounts.services.limits import lease
    from mailaccounts.services.syncing import examine

    make_contact(CONTACT)
    original = examine.store_batch
    other = []

    def claimed_by_another(held: lease.Lease, batch: object) -> int:
        if not other:
            free_lease(account)
            other.append(lease.claim(account))
        return original(held, batch)

    monkeypatch.setattr(examine, "store_batch", claimed_by_another)
    report = sync_account(account.pk)
    assert report.error is not None and report.error.code == "lease_lost"
    assert not account.messages.exists()
    account.refresh_from_db()
    assert account.lease_owner == other[0].token
    assert account.status == "new"
    lease.release(other[0])
    assert sync_account(account.pk).error is None
    assert_complete(account, truth)


@pytest.mark.django_db(transaction=True)
def test_whoever_is_interrupted_in_the_middle_of_a_query_still_lets_go() -> None:
    account = make_account()
    first = lease.claim(account)
    assert first is not None
    connection.connection.pgconn.send_query(b"SELECT 1")  # nobody waits for the answer
    assert lease.release(first)
    assert lease.claim(account) is not None
