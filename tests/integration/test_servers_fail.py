"""Redis or PostgreSQL fails, or has no room, while mail arrives: nothing is lost by it."""

from __future__ import annotations

import secrets
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection

from mailaccounts.testing.sandbox import Sandbox
from tests.crm.builders import make_contact
from tests.crm_process import Tick, environment, wait_until
from tests.fleet import Crowd, Fleet, calm, trouble
from tests.letters import CONTACT
from tests.sandbox_crm import world_of
from tests.sandbox_fixtures import new_user
from tests.servers import PostgreSQL, Redis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_django.fixtures import SettingsWrapper

pytestmark = [pytest.mark.soak, pytest.mark.django_db(transaction=True), pytest.mark.timeout(1800)]

ACCOUNTS = 12
ROOM = 300  # MiB on the small disk: PostgreSQL takes half of it before there is any mail
PAGES = secrets.token_hex(20_000)


@pytest.fixture
def redis() -> Iterator[Redis]:
    server = Redis()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def postgresql(transactional_db: None) -> Iterator[PostgreSQL]:
    """The test's database is on a server of its own."""
    with placed_on(PostgreSQL()) as server:
        yield server


@contextmanager
def placed_on(server: PostgreSQL) -> Iterator[PostgreSQL]:
    usual = dict(connection.settings_dict)
    try:
        server.start()
        with psycopg.connect(server.url.replace("/mailaccounts", "/postgres"), autocommit=True) as outside:
            outside.execute("CREATE DATABASE mailaccounts")
        connection.close()
        connection.settings_dict.update(
            HOST="127.0.0.1", PORT=server.port, USER="postgres", PASSWORD=server.password, NAME="mailaccounts"
        )
        call_command("migrate", verbosity=0)
        yield server
    finally:
        connection.close()
        connection.settings_dict.update(usual)
        server.stop()


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of its own; to make one takes root."""
    disk = Path(tempfile.mkdtemp(prefix="mailaccounts-disk-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}m,mode=755", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)
    disk.rmdir()


def has_room(server: PostgreSQL) -> bool:
    """Whether it takes another MiB, or is there at all: one that can't write its log ends."""
    try:
        with psycopg.connect(server.url) as outside:
            outside.execute("CREATE TEMPORARY TABLE more AS SELECT repeat('x', 900) FROM generate_series(1, 1200)")
    except psycopg.OperationalError:  # DiskFull is one
        return False
    return True


def for_seconds(seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() > until


@contextmanager
def at_work(
    directory: Path, logs: Path, settings: SettingsWrapper, redis_url: str
) -> Iterator[tuple[Crowd, Fleet, Random]]:
    """Workers and a watcher over synced accounts; when the block ends all is in order again, and all mail has to be
    there soon."""
    seed = secrets.randbelow(2**32)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it when the test fails
    rng = Random(seed)  # noqa: S311 - letters, not secrets
    users = [new_user() for _ in range(ACCOUNTS)]
    make_contact(CONTACT)
    with Sandbox(directory, users=users, connections=100) as sandbox:
        settings.MAILACCOUNTS = world_of(sandbox, settings.MAILACCOUNTS)
        env = environment(**sandbox.environment(), REDIS_URL=redis_url, Q_WORKERS="2")
        crowd = Crowd(sandbox=sandbox, users=users)
        crowd.connect()
        with Fleet(logs, workers=2, watchers=1, env=env) as fleet:
            for user in users:
                crowd.deliver_to(user, rng)
            with Tick(env) as tick:
                calm(crowd, tick)
            yield crowd, fleet, rng
            started = time.monotonic()
            with Tick(env) as tick:
                calm(crowd, lambda: (fleet.tend(), tick()))
            seconds = time.monotonic() - started
        print(f"{crowd.check()}; all there {seconds:.0f} s later")  # noqa: T201 - what a soak is read for


def test_redis_vanishes_and_comes_back_empty(
    sandbox_directory: Path, tmp_path: Path, settings: SettingsWrapper, redis: Redis
) -> None:
    with at_work(sandbox_directory, tmp_path, settings, redis.url) as (crowd, fleet, rng):
        for _ in range(2):
            trouble(fleet, crowd, rng, until=for_seconds(3))
            redis.crash()
            ended = trouble(fleet, crowd, rng, until=for_seconds(15))
            redis.start()
            print(f"{ended} processes ended without Redis")  # noqa: T201 - what a soak is read for


def test_postgresql_crashes_and_recovers_under_load(
    sandbox_directory: Path, tmp_path: Path, settings: SettingsWrapper, redis_url: str, postgresql: PostgreSQL
) -> None:
    with at_work(sandbox_directory, tmp_path, settings, redis_url) as (crowd, fleet, rng):
        for seconds in (0, 1, 5, 10):
            trouble(fleet, crowd, rng, until=for_seconds(3))
            postgresql.crash()
            ended = trouble(fleet, crowd, rng, until=for_seconds(seconds))
            postgresql.start()
            print(f"{ended} processes ended without PostgreSQL")  # noqa: T201 - what a soak is read for
        connection.close()


def test_the_disk_of_postgresql_is_full(
    sandbox_directory: Path,
    tmp_path: Path,
    settings: SettingsWrapper,
    redis_url: str,
    transactional_db: None,
    small_disk: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(small_disk))
        server = PostgreSQL()
    ballast = small_disk / "ballast"
    with (
        placed_on(server),
        at_work(sandbox_directory, tmp_path, settings, redis_url) as (crowd, fleet, rng),
    ):
        crowd.text = PAGES
        ended = trouble(fleet, crowd, rng, until=for_seconds(3))
        subprocess.run(["dd", "if=/dev/zero", f"of={ballast}", "bs=4k"], check=False, capture_output=True)
        ended += trouble(fleet, crowd, rng, until=lambda: not has_room(server))
        ended += trouble(fleet, crowd, rng, until=for_seconds(30))
        print(f"{ended} processes ended without room")  # noqa: T201 - what a soak is read for
        ballast.unlink()
        assert server.process is not None
        if server.process.poll() is not None:
            server.start()
        wait_until(server.ready, what="PostgreSQL has recovered")
        connection.close()
