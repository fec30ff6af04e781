"""A job that one process queues is done by a worker of `manage.py qcluster`, over either broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.app.builders import make_account, make_credential
from tests.crm_process import Cluster, environment, manage, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from mailaccounts.models import MailAccount

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
