"""What crm/settings.py makes of the addresses of PostgreSQL and Redis."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from redis import Redis

from crm.environment import Environment
from tests.crm_process import ROOT

POSTGRESQL = "postgres://crm:secret@db.test:5432/crm"


@pytest.mark.parametrize(
    ("url", "connecting", "answering"),
    [
        ("redis://cache.test:6379/0", 2, 3),
        ("rediss://cache.test:6379?ssl_cert_reqs=none", 2, 3),
        ("redis://cache.test:6379/0?socket_timeout=10", 2, 10),
        ("unix:///run/redis.sock?db=1&socket_connect_timeout=7", 7, 3),
    ],
)
def test_a_redis_has_time_outs_and_those_of_its_url_come_first(
    monkeypatch: pytest.MonkeyPatch, url: str, connecting: int, answering: int
) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    made = Redis.from_url(Environment().redis("REDIS_URL")).get_connection_kwargs()
    assert (made["socket_connect_timeout"], made["socket_timeout"]) == (connecting, answering)


def database(url: str, **variables: str) -> dict[str, Any]:
    """As the settings have it when a process starts."""
    script = "import json; from crm.settings import DATABASES; print(json.dumps(DATABASES['default']))"
    env = {**os.environ, "DATABASE_URL": url, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=env, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_postgresql_is_told_not_to_compile_statements() -> None:
    assert database(POSTGRESQL)["OPTIONS"] == {"options": "-c jit=off"}


def test_behind_pgbouncer_nothing_is_said_at_the_start_and_the_url_has_the_rest() -> None:
    url = f"{POSTGRESQL}?disable_server_side_cursors=True&conn_max_age=0&sslmode=require"
    found = database(url, DATABASE_STARTUP_OPTIONS="")
    assert found["OPTIONS"] == {"sslmode": "require"}
    assert (found["DISABLE_SERVER_SIDE_CURSORS"], found["CONN_MAX_AGE"]) == (True, 0)


def test_the_options_of_the_url_come_first() -> None:
    found = database(f"{POSTGRESQL}?options=-c%20statement_timeout%3D60000")
    assert found["OPTIONS"] == {"options": "-c statement_timeout=60000"}
