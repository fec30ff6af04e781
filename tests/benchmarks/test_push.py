"""B5: from a delivery to a row in the CRM, with many mailboxes watched by one process, and what each of them takes."""

from __future__ import annotations

import json
import os
import random
import signal
import smtplib
import socket
import ssl
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from crm.models import TimelineEntry
from mailaccounts.models import AccountStatus, MailAccount
from mailaccounts.services.syncing.sync import sync_account
from mailaccounts.testing.sandbox import Sandbox
from tests.app.builders import make_account, make_credential, make_user
from tests.crm.builders import make_contact
from tests.crm_process import ROOT, Cluster, environment
from tests.letters import CONTACT, letter, new_id
from tests.sandbox_crm import world_of
from tests.sandbox_fixtures import new_user

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.testing.sandbox import SandboxUser

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600), pytest.mark.django_db(transaction=True)]

ACCOUNTS = int(os.environ.get("B5_ACCOUNTS", "50"))
DELIVERIES = int(os.environ.get("B5_DELIVERIES", "40"))
WARM_UP = 6  # deliveries: workers sign in for the first time
MUST_SECONDS, MUST_KIB = 1.0, 60
FEW = 500  # with fewer accounts the memory of each is mostly noise
PATIENCE = 600


def test_mail_is_in_the_crm_as_soon_as_a_bare_socket_would_know(
    sandbox_directory: Path, tmp_path: Path, settings: SettingsWrapper, redis_url: str
) -> None:
    instances = int(Path("/proc/sys/fs/inotify/max_user_instances").read_text())
    assert instances > ACCOUNTS, f"Dovecot would notice nothing: sysctl fs.inotify.max_user_instances={8 * ACCOUNTS}"
    users = [new_user() for _ in range(ACCOUNTS)]
    make_contact(CONTACT)
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox(sandbox_directory, users=users, connections=2 * ACCOUNTS + 50))
        settings.MAILACCOUNTS = world_of(sandbox, settings.MAILACCOUNTS)
        for user in users:
            connect(sandbox, user)
        env = environment(**sandbox.environment(), REDIS_URL=redis_url, Q_WORKERS="2")
        stack.enter_context(Cluster(tmp_path / "cluster.log", env=env))
        watcher = stack.enter_context(watching(env))
        empty = resident(watcher)
        MailAccount.objects.update(status=AccountStatus.OK)
        started = time.monotonic()
        early, warm = watched_from(watcher, ACCOUNTS // 10), resident(watcher)
        watched_from(watcher, ACCOUNTS)
        seconds = time.monotonic() - started
        settle()
        full = resident(watcher)
        each, grows = (full - empty) / ACCOUNTS, (full - warm) / (ACCOUNTS - early)
        chosen = random.sample(users, k=min(ACCOUNTS, WARM_UP + DELIVERIES))
        times = [deliver(sandbox, user) for user in chosen][WARM_UP:]
    later = sorted(visible - noticed for noticed, visible in times)
    whole = sorted(visible for _, visible in times)
    result = {
        "name": f"B5 {ACCOUNTS} watched accounts",
        "p50": round(statistics.median(later), 3),
        "p95": round(later[int(len(later) * 0.95)], 3),
        "p95_from_delivery": round(whole[int(len(whole) * 0.95)], 3),
        "bare_socket": round(statistics.median(noticed for noticed, _ in times), 3),
        "kib_per_account": round(each, 1),
        "kib_per_further_account": round(grows, 1),
        "accounts_per_second": round(ACCOUNTS / seconds),
    }
    print(  # noqa: T201 - a benchmark is there to be read
        f"\n{result['name']}: in the CRM {result['p50']} s (p95 {result['p95']} s, must be ≤ {MUST_SECONDS}) after a "
        f"bare socket knows, which is {result['bare_socket']} s after the delivery; p95 {result['p95_from_delivery']} "
        f"s from delivery to CRM; {result['kib_per_account']} KiB each (must be ≤ {MUST_KIB}), "
        f"{result['kib_per_further_account']} KiB from the {early}th on; "
        f"{result['accounts_per_second']} sign-ins a second\n{json.dumps(result)}"
    )
    assert result["p95"] <= MUST_SECONDS
    assert each <= MUST_KIB or ACCOUNTS < FEW


def connect(sandbox: Sandbox, user: SandboxUser) -> None:
    """An account whose first sync is over, and that nobody watches yet."""
    account = make_account(make_user(), user.address, imap_host=sandbox.imap.host, imap_port=sandbox.imap.port)
    make_credential(account, user.password)
    assert sync_account(account.pk).error is None
    later = timezone.now() + timedelta(days=1)
    MailAccount.objects.filter(pk=account.pk).update(status=AccountStatus.WAITING, next_sync_at=later)


@contextmanager
def watching(env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """The command, which has nothing to watch yet."""
    command = [sys.executable, "manage.py", "watch_mailboxes", "--json"]
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def watched_from(watcher: subprocess.Popen[str], count: int) -> int:
    """How many accounts are watched, once they are ``count``."""
    assert watcher.stdout is not None
    for line in watcher.stdout:
        watched: int = json.loads(line)["watched"]
        if watched >= count:
            return watched
    raise AssertionError("it ended before")


def settle() -> None:
    """Until no sync is under way any more."""
    while MailAccount.objects.exclude(lease_owner="").exists() or MailAccount.objects.filter(
        next_sync_at__lte=timezone.now()
    ):
        time.sleep(0.5)


def resident(process: subprocess.Popen[str]) -> int:
    """KiB of memory."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def deliver(sandbox: Sandbox, user: SandboxUser) -> tuple[float, float]:
    """Delivers a contact's letter: after how many seconds a bare socket hears of it, and the CRM has it."""
    message_id = new_id()
    with idling(sandbox, user) as bare:
        with smtplib.LMTP("127.0.0.1", sandbox.lmtp_port) as lmtp:
            lmtp.sendmail(CONTACT, [user.address], letter(message_id=message_id))
            delivered = time.monotonic()
        bare.settimeout(0.002)
        noticed = visible = 0.0
        while not (noticed and visible):
            assert time.monotonic() - delivered < PATIENCE
            if not noticed:
                with suppress(TimeoutError):
                    noticed = time.monotonic() if b"EXISTS" in bare.recv(4096) else 0.0
            if not visible and TimelineEntry.objects.filter(message__message_id=message_id).exists():
                visible = time.monotonic()
    return noticed - delivered, visible - delivered


@contextmanager
def idling(sandbox: Sandbox, user: SandboxUser) -> Iterator[ssl.SSLSocket]:
    trusted = ssl.create_default_context(cafile=str(sandbox.ca_file))
    plain = socket.create_connection(("127.0.0.1", sandbox.imap.port))
    with closing(trusted.wrap_socket(plain, server_hostname="localhost")) as bare:
        heard = bare.makefile("rb")
        heard.readline()
        for command in (f"LOGIN {user.address} {user.password}", "EXAMINE INBOX"):
            bare.sendall(f"a {command}\r\n".encode())
            while not heard.readline().startswith(b"a OK"):
                pass
        bare.sendall(b"a IDLE\r\n")
        while not heard.readline().startswith(b"+"):
            pass
        yield bare
