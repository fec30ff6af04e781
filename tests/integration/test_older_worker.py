"""A machine that is upgraded later than the others: its workers get jobs that only the new version knows."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db.models import F
from django.utils import timezone
from django_q.models import OrmQ, Task

from mailaccounts import tasks
from mailaccounts.models import AlarmKind, MailAccount
from mailaccounts.queue import Job, enqueue
from mailaccounts.services.running import alarm_signs
from tests.app.builders import make_account, make_credential
from tests.crm_process import Cluster, environment, wait_until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.django_db(transaction=True)

# A cluster of the version before, which had no syncs, and whose moves knew nothing of an account.
OLDER = """
import sys
import mailaccounts
mailaccounts.__version__ = "0.0.9"
import django
django.setup()
from django.core.management import execute_from_command_line
from mailaccounts import tasks
def move():
    raise AssertionError("called with what it doesn't know")
del tasks.sync
tasks.move, move.__module__ = move, tasks.__name__
execute_from_command_line(["manage.py", *sys.argv[1:]])
"""


class OlderCluster(Cluster):
    program = ("-c", OLDER)


def synced(account: MailAccount) -> bool:
    """Its server is in a private network, so that a sync ends at once and leaves its mark."""
    account.refresh_from_db()
    return account.failures > 0


def half_an_hour_passes() -> None:
    longer = timedelta(minutes=30)
    MailAccount.objects.update(next_sync_at=F("next_sync_at") - longer)


def test_nothing_is_lost_by_it_and_it_is_noticed(tmp_path: Path) -> None:
    account = make_account(imap_host="127.0.0.1", status="ok", next_sync_at=timezone.now())
    make_credential(account)
    tasks.tick()
    enqueue(Job.MOVE, account.pk)
    env = environment(REDIS_URL="")
    with OlderCluster(tmp_path / "older.log", env=env) as older:
        wait_until(lambda: older.printed().count("doesn't know the job") == 2, what="it has had both jobs")
        assert not synced(account)
        wait_until(lambda: not OrmQ.objects.exists(), what="they are off the queue")
        signs = {each.kind: each for each in alarm_signs.all_signs()}
    assert "A process (worker) runs version 0.0.9" in signs[AlarmKind.VERSION].words
    assert not Task.objects.exists()
    half_an_hour_passes()
    tasks.tick()
    with Cluster(tmp_path / "newer.log", env=env):
        wait_until(lambda: synced(account), what="a worker of the new version has synced it")
