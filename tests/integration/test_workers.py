"""A job that one process queues is done by a worker of `manage.py qcluster`, over either broker."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from mailaccounts.models import MailAccount
from mailaccounts.queue import Job, enqueue
from tests.app.builders import make_account, make_credential
from tests.crm_process import ROOT, Cluster, environment, manage, wait_until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["database", "redis"])
def env(request: pytest.FixtureRequest) -> dict[str, str]:
    """A CRM process with the broker the test is about."""
    return environment(REDIS_URL=request.getfixturevalue("redis_url") if request.param == "redis" else "")


def failed(account: MailAccount) -> bool:
    account.refresh_from_db()
    return account.failures > 0


def test_a_queued_sync_is_done_by_a_worker(env: dict[str, str], tmp_path: Path) -> None:
    """The account's server is in a private network, so that a sync ends at once and leaves its mark."""
    account = make_account(imap_host="127.0.0.1", next_sync_at=None)
    make_credential(account)
    queue_it = f"from mailaccounts.queue import Job, enqueue; enqueue(Job.SYNC, {account.pk})"
    manage("shell", "-c", queue_it, env=env)
    with Cluster(tmp_path / "log", env=env):
        wait_until(lambda: failed(account), what="the worker syncs the account")
    assert account.status_code == "host_not_allowed"


def test_workers_that_are_killed_while_they_wait_for_a_job_leave_the_next_one_to_others(tmp_path: Path) -> None:
    """One of them has the lock of the cluster's queue."""
    log = tmp_path / "log"

    def ready() -> list[int]:
        return [int(pid) for pid in re.findall(r"ready for work at (\d+)", log.read_text())]

    account = make_account(imap_host="127.0.0.1", next_sync_at=None)
    make_credential(account)
    with Cluster(log, env=environment(REDIS_URL="", Q_WORKERS="2", LIBRARY_LOG_LEVEL="INFO")):
        wait_until(lambda: len(ready()) == 2, what="both wait for a job")
        for pid in ready():
            os.kill(pid, signal.SIGKILL)
        enqueue(Job.SYNC, account.pk)
        wait_until(lambda: failed(account), what="another one syncs the account")


# A cluster whose worker is in the middle of a sync until the cluster is told to stop.
BUSY = """
import time
import django
django.setup()
from django.core.management import execute_from_command_line
from mailaccounts.queue import is_stopping
from mailaccounts.services.syncing import sync
def read(*args, **options):
    print("at work", flush=True)
    while not is_stopping():
        time.sleep(0.05)
sync._read = read
execute_from_command_line(["manage.py", "qcluster"])
"""


def test_a_cluster_that_is_told_to_stop_gives_back_what_it_has_at_hand() -> None:
    """A sync under way ends after what it is at, and lets go of its account; a job that none has begun with waits for
    another cluster."""
    accounts = [make_account(next_sync_at=None) for _ in range(3)]
    for account in accounts:
        make_credential(account)
        enqueue(Job.SYNC, account.pk)
    command, env = [sys.executable, "-c", BUSY], environment(REDIS_URL="")
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        wait_until(lambda: len(free_jobs()) < 2, what="a second job is taken from the queue")
        process.send_signal(signal.SIGTERM)
        assert process.wait(100) == 0
    assert {pk for ids in free_jobs() for pk in ids} == {account.pk for account in accounts}
    assert not MailAccount.objects.exclude(lease_owner="").exists()


def free_jobs() -> list[tuple[int, ...]]:
    """Of the accounts for which a sync is queued that any worker may take."""
    return [each.task["args"] for each in OrmQ.objects.filter(lock__lte=timezone.now())]
