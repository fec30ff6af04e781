"""Fixtures every test may use. tests/servers.py, loaded earlier, has PostgreSQL and Redis running by now."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.register_assert_rewrite(
    "tests.replay", "tests.disturbed", "tests.fleet"
)  # their assertions say what they compared, as those of tests do
pytest_plugins = ["tests.sandbox_fixtures", "tests.domains"]


def pytest_configure() -> None:
    """A run in the background of a shell ignores Ctrl-C, and so would every program it starts: some tests send it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _quick_flush() -> None:
    from tests import flush

    flush.install()


@pytest.fixture
def redis_url() -> str:
    """An empty Redis database of this test process's own."""
    import redis

    worker = os.environ.get("PYTEST_XDIST_WORKER", "")  # gw0, gw1 … where tests run in parallel
    number = int(worker.removeprefix("gw")) + 1 if worker else 0
    url = f"{os.environ['TEST_REDIS_URL'].rpartition('/')[0]}/{number}"
    redis.Redis.from_url(url).flushdb()
    return url


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of 127.0.0.1 that refuses connections, and that nobody else gets meanwhile."""
    with socket.socket() as bound:  # and never listening
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    """Attempt limits are counted in the cache; no test inherits another's, or begins as after a loss of the cache."""
    from django.core.cache import cache

    cache.clear()
    cache.set("mailaccounts:budget:since", 0.0, None)
