"""A Redis that takes connections and says nothing, as one whose machine stands still: nobody waits for it for long."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.app.builders import make_account, make_credential
from tests.crm_process import PATIENCE, ROOT, Cluster, environment, wait_until
from tests.servers import Redis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mailaccounts.models import MailAccount

pytestmark = pytest.mark.django_db(transaction=True)

# A page that queues a sync, one that queues a hundred jobs, and /readyz; how long each took.
ASKED = """
import json, sys, time
import django
django.setup()
from django.db import transaction
from django.test import Client
from mailaccounts.models import MailAccount
from mailaccounts.queue import Job, enqueue

def timed(work):
    began = time.monotonic()
    answer = work()
    return answer, time.monotonic() - began

def queue_many():
    with transaction.atomic():
        for number in range(100):
            enqueue(Job.NOTIFY, number)

account = MailAccount.objects.get()
client = Client(headers={"host": "localhost"})
client.force_login(account.owner)
page, page_took = timed(lambda: client.post(f"/settings/email-accounts/{account.pk}/sync/", secure=True))
_, many_took = timed(queue_many)
ready, ready_took = timed(lambda: client.get("/readyz", secure=True))
problems = ready.json()["problems"]
json.dump([page.status_code, page_took, many_took, ready.status_code, problems, ready_took], sys.stdout)
"""

QUEUE_IT = "import django; django.setup(); from mailaccounts.queue import Job, enqueue; enqueue(Job.SYNC, {})"


@pytest.fixture
def redis() -> Iterator[Redis]:
    server = Redis()
    server.start()
    yield server
    server.thaw()
    server.stop()


@pytest.fixture
def env(redis: Redis) -> dict[str, str]:
    return environment(REDIS_URL=redis.url, LIBRARY_LOG_LEVEL="INFO")


@pytest.fixture
def account() -> MailAccount:
    """Its server is in a private network, so that a sync ends at once and leaves its mark."""
    account = make_account(imap_host="127.0.0.1", next_sync_at=None)
    make_credential(account)
    return account


def failed(account: MailAccount) -> bool:
    account.refresh_from_db()
    return account.failures > 0


def test_pages_and_readyz_answer_within_seconds(redis: Redis, env: dict[str, str], account: MailAccount) -> None:
    redis.freeze()
    done = subprocess.run([sys.executable, "-c", ASKED], cwd=ROOT, env=env, stdout=subprocess.PIPE, check=True)
    page, page_took, many_took, ready, problems, ready_took = json.loads(done.stdout)
    assert (page, ready) == (302, 503)
    assert problems[0] == "The queue's broker can't be reached. Start Redis, or correct REDIS_URL."
    assert page_took + many_took < 10
    assert ready_took < 10


def test_workers_go_on_as_soon_as_it_answers_again(
    redis: Redis, env: dict[str, str], account: MailAccount, tmp_path: Path
) -> None:
    with Cluster(tmp_path / "log", env=env) as cluster:
        wait_until(lambda: "ready for work" in cluster.printed(), what="the cluster runs")
        redis.freeze()
        wait_until(lambda: "Failed to pull task" in cluster.printed(), what="it is noticed", seconds=30)
        redis.thaw()
        subprocess.run([sys.executable, "-c", QUEUE_IT.format(account.pk)], cwd=ROOT, env=env, check=True)
        wait_until(lambda: failed(account), what="the worker syncs the account")


def test_workers_can_be_stopped_meanwhile(redis: Redis, env: dict[str, str], tmp_path: Path) -> None:
    with Cluster(tmp_path / "log", env=env) as cluster:
        wait_until(lambda: "ready for work" in cluster.printed(), what="the cluster runs")
        redis.freeze()
        cluster.process.send_signal(signal.SIGTERM)
        assert cluster.process.wait(60) == 0


def test_workers_that_find_it_silent_end_and_are_started_again(
    redis: Redis, env: dict[str, str], tmp_path: Path
) -> None:
    redis.freeze()
    with Cluster(tmp_path / "log", env=env) as cluster:
        assert cluster.process.wait(PATIENCE) != 0
