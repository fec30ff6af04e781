"""What crm/settings.py makes of the addresses of PostgreSQL and Redis."""

from __future__ import annotations

import pytest
from redis import Redis

from crm.environment import Environment


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
