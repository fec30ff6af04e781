"""What a mailbox may be asked for at its provider is counted by all workers together, and never exceeded."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import cache, caches

from mailaccounts.errors import AllowanceSpent
from mailaccounts.mail.types import Traffic
from mailaccounts.services.limits import budget
from mailaccounts.services.limits.budget import Meter, rest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

GMAIL, OTHER = "imap.gmail.com", "imap.example.test"
ANN, BEN = "Ann@example.test", "ben@example.test"


class Clock:
    """The budget's time, which passes when the test says so."""

    def __init__(self) -> None:
        self.now = float(1_800_000_000 // budget.DAY * budget.DAY)  # midnight

    def time(self) -> float:
        return self.now

    monotonic = time


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(budget, "time", made)
    return made


@pytest.fixture(autouse=True, params=["memory", "redis"])
def _a_cache(request: pytest.FixtureRequest, settings: SettingsWrapper) -> None:
    if request.param == "redis":
        location = request.getfixturevalue("redis_url")
        settings.CACHES = {"default": {"BACKEND": "crm.cache.RedisOrMemoryCache", "LOCATION": location}}
    cache.set(budget.SINCE, 0.0, None)


def login(host: str = OTHER, mailbox: str = ANN) -> Meter:
    return Meter(host, mailbox, session_seconds=180)


def refused(ask: Callable[[], object]) -> float:
    """For how many seconds."""
    with pytest.raises(AllowanceSpent) as caught:
        ask()
    return caught.value.retry_after


@pytest.mark.parametrize(("host", "ours"), [(GMAIL, 7), (OTHER, 8)])
def test_a_mailbox_never_has_more_connections_than_half_of_what_its_provider_allows(host: str, ours: int) -> None:
    """Gmail allows 15; of servers that don't say it is known that they take eight."""
    meters = [login(host) for _ in range(ours)]
    assert refused(lambda: login(host, ANN.lower())) == budget.ROOM_SECONDS
    login(host, BEN)
    meters[3].close(Traffic())
    login(host)
    refused(lambda: login(host))


def test_an_installation_says_how_many_connections_its_server_takes_in_all(
    settings: SettingsWrapper, tmp_path: Path
) -> None:
    presets = tmp_path / "presets.json"
    ours = {"slug": "us", "label": "Us", "imap": "imaps://imap.us.test", "limits": {"connections_in_all": 2}}
    presets.write_text(json.dumps({"presets": [ours]}))
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "PRESETS_FILE": str(presets)}
    first, _ = login("imap.us.test", ANN), login("imap.us.test", BEN)
    for _ in range(20):  # whoever finds none keeps none of their own
        refused(lambda: login("imap.us.test", "cem@example.test"))
    first.close(Traffic())
    login("imap.us.test", "cem@example.test")


def test_ten_thousand_commands_in_ten_minutes_are_enough(clock: Clock) -> None:
    clock.now += 100
    meter, traffic = login(), Traffic()

    def go_on() -> None:
        for _ in range(20_000):
            traffic.commands += 1
            meter.spend(traffic)

    assert refused(go_on) == 500
    assert traffic.commands == budget.COMMANDS
    meter.close(traffic)
    refused(login)
    login(mailbox=BEN)
    login(GMAIL)
    clock.now += 500
    login()


def test_many_short_sessions_count_like_a_long_one() -> None:
    for _ in range(100):
        login().close(Traffic(commands=100))
    refused(login)


def test_a_day_at_gmail_ends_at_half_of_its_bytes(clock: Clock) -> None:
    clock.now += budget.DAY - 7200
    meter, traffic = login(GMAIL), Traffic()

    def go_on() -> None:
        for _ in range(10_000):
            traffic.bytes_received += 2**20
            meter.spend(traffic)

    assert refused(go_on) == 7200
    assert 1_250 * 10**6 <= traffic.bytes_received <= 1_250 * 10**6 + 2**20
    meter.close(traffic)
    assert refused(lambda: login(GMAIL)) == 7200
    clock.now += 7200
    login(GMAIL)


def test_other_servers_give_as_many_bytes_as_they_like() -> None:
    meter = login()
    meter.spend(Traffic(bytes_received=10**12))
    meter.close(Traffic(bytes_received=10**12))
    login()


def test_a_mailbox_whose_server_asked_for_a_rest_gets_it_from_every_worker(clock: Clock) -> None:
    rest(OTHER, ANN, 299.995)
    assert 299 < refused(login) <= 300
    login(mailbox=BEN)
    clock.now += 300
    login()


def test_a_connection_of_a_lost_worker_is_free_again_when_its_session_would_have_ended() -> None:
    assert 0 < remaining(login().slots[0].key) <= 180


def test_a_connection_that_waits_for_mail_is_held_by_its_watchers_signs_of_life_alone(clock: Clock) -> None:
    meter = login()
    (slot,) = meter.slots
    meter.spend(Traffic(commands=1, handed_over=True))
    assert 30 < remaining(slot.key) <= 45, "free within a minute of its watcher's end"
    cache.touch(slot.key, 5)
    assert budget.keep({7: meter}) == []
    assert 30 < remaining(slot.key) <= 45
    meter.close(Traffic(commands=2, handed_over=True))
    assert cache.get(slot.key) is None


def test_a_cache_that_lost_its_memory_is_told_who_is_there_and_lets_in_half_as_many_meanwhile(clock: Clock) -> None:
    watched = {number: login() for number in range(6)}
    cache.clear()  # Redis was restarted
    others = [login() for _ in range(4)]
    refused(login)
    clock.now += budget.HELD_SECONDS
    closed = budget.keep(watched)
    assert len(closed) == 2, "there are eight places in all"
    refused(login)
    for number in closed:
        watched[number].close(Traffic())
    refused(login)  # what was lost isn't given back twice
    for meter in (*watched.values(), *others):
        meter.close(Traffic())
    assert len([login() for _ in range(8)]) == 8


def test_what_a_cache_has_forgotten_counts_as_spent(clock: Clock) -> None:
    """At six in the evening: a quarter of the day is left, and of its bytes."""
    clock.now += 18 * 3600
    cache.clear()
    meter, traffic = login(GMAIL), Traffic()

    def go_on() -> None:
        for _ in range(10_000):
            traffic.bytes_received += 2**20
            meter.spend(traffic)

    assert refused(go_on) == 6 * 3600
    assert traffic.bytes_received == pytest.approx(1_250 * 10**6 / 4, rel=0.01)
    meter.close(traffic)
    clock.now += 6 * 3600
    login(GMAIL)


def remaining(key: str) -> float:
    """Seconds until the cache forgets ``key``."""
    backend: Any = caches["default"]
    name = backend.make_key(key)
    if hasattr(backend, "_expire_info"):
        return float(backend._expire_info[name] - time.time())
    return float(backend._cache.get_client().ttl(name))
