"""Workers and watchers on several machines, over Redis and PostgreSQL, each of which may be killed at any moment."""

from __future__ import annotations

import secrets
from random import Random
from typing import TYPE_CHECKING

import pytest

from mailaccounts.testing.sandbox import Sandbox
from tests.crm_process import Tick, environment
from tests.fleet import Crowd, Fleet, calm, storm
from tests.sandbox_crm import world_of
from tests.sandbox_fixtures import new_user

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from crm.models import Contact

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]


@pytest.mark.parametrize(
    ("accounts", "workers", "watchers", "seconds", "every"),
    [(8, 2, 1, 4, 1.5), pytest.param(1000, 3, 2, 300, 10.0, marks=pytest.mark.soak)],
    ids=["8", "1000"],
)
def test_whoever_is_killed_nothing_is_lost_or_doubled_and_no_account_is_synced_by_two_at_once(
    sandbox_directory: Path,
    tmp_path: Path,
    settings: SettingsWrapper,
    redis_url: str,
    contact: Contact,
    accounts: int,
    workers: int,
    watchers: int,
    seconds: float,
    every: float,
) -> None:
    seed = secrets.randbelow(2**32)
    rng = Random(seed)  # noqa: S311 - moments, not secrets
    print(f"seed {seed}")  # noqa: T201 - pytest shows it when the test fails
    users = [new_user() for _ in range(accounts)]
    with Sandbox(sandbox_directory, users=users, connections=2 * accounts + 50) as sandbox:
        settings.MAILACCOUNTS = world_of(sandbox, settings.MAILACCOUNTS)
        env = environment(**sandbox.environment(), REDIS_URL=redis_url, Q_WORKERS="2")
        crowd = Crowd(sandbox=sandbox, users=users)
        crowd.connect()
        with Tick(env) as tick, Fleet(tmp_path, workers=workers, watchers=watchers, env=env) as fleet:
            for user in users[:8]:
                crowd.deliver_to(user, rng)
            calm(crowd, tick)
            kills = storm(fleet, crowd, tick, rng, seconds=seconds, every=every)
            lags = sorted(crowd.lags())
            fleet.strike_all()
            calm(crowd, tick)
        found = crowd.check()
    p50, p95 = (round(lags[int(len(lags) * part)], 1) for part in (0.5, 0.95))
    print(  # noqa: T201 - what a soak is read for
        f"{kills} kills in {seconds:.0f} s, in which {len(lags)} letters were stored, {p50} s after they came "
        f"(p95 {p95} s)\n{found}"
    )
