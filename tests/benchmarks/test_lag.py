"""B13: from a delivery to a row in the CRM where nobody watches: accounts are polled, by the product's own tick.

``B13_ACCOUNTS`` says how many there are, ``B13_SECONDS`` how long mail arrives.
"""

from __future__ import annotations

import json
import os
import time
from random import Random
from typing import TYPE_CHECKING

import pytest

from mailaccounts.conf import settings as ours
from mailaccounts.testing.sandbox import Sandbox
from tests.crm.builders import make_contact
from tests.crm_process import Cluster, Tick, environment, wait_until
from tests.fleet import Crowd, calm
from tests.letters import CONTACT
from tests.sandbox_crm import world_of
from tests.sandbox_fixtures import new_user

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600), pytest.mark.django_db(transaction=True)]

ACCOUNTS = int(os.environ.get("B13_ACCOUNTS", "50"))
SECONDS = int(os.environ.get("B13_SECONDS", "300"))
TICK_SECONDS = 60 + 30  # a tick is due each minute, and clusters look for it twice a minute


def test_mail_is_in_the_crm_within_two_turns_without_push(
    sandbox_directory: Path, tmp_path: Path, settings: SettingsWrapper, redis_url: str
) -> None:
    users = [new_user() for _ in range(ACCOUNTS)]
    make_contact(CONTACT)
    rng = Random(13)  # noqa: S311 - the same letters again are the point
    with Sandbox(sandbox_directory, users=users, connections=ACCOUNTS + 50) as sandbox:
        settings.MAILACCOUNTS = world_of(sandbox, settings.MAILACCOUNTS)
        env = environment(**sandbox.environment(), REDIS_URL=redis_url, Q_WORKERS="2", LOG_LEVEL="WARNING")
        crowd = Crowd(sandbox=sandbox, users=users)
        crowd.connect()
        with Cluster(tmp_path / "cluster.log", env=env):
            for user in users:  # whose turn comes each minute: mail comes to it just now
                crowd.deliver_to(user, rng)
            with Tick(env) as tick:
                calm(crowd, tick)
            crowd.delivered.clear()
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:
                crowd.deliver(rng)
            wait_until(lambda: len(crowd.lags()) == len(crowd.delivered), what="all is stored", seconds=600)
    lags, must = sorted(crowd.lags()), ours.sync_interval + TICK_SECONDS
    result = {
        "name": f"B13 {ACCOUNTS} polled accounts",
        "letters": len(lags),
        "p50": round(lags[len(lags) // 2], 1),
        "p95": round(lags[int(len(lags) * 0.95)], 1),
        "most": round(lags[-1], 1),
    }
    print(  # noqa: T201 - a benchmark is there to be read
        f"\n{result['name']}: {result['letters']} letters in the CRM {result['p50']} s after they came, p95 "
        f"{result['p95']} s (must be ≤ {must}), at most {result['most']} s\n{json.dumps(result)}"
    )
    assert lags[int(len(lags) * 0.95)] <= must
