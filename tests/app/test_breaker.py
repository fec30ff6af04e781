"""An outage costs one attempt now and then, and not one for each account."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from mailaccounts.errors import (
    ConnectionTimedOut,
    HostNotAllowed,
    MailAccountsError,
    PasswordRejected,
    ServerDown,
    Throttled,
)
from mailaccounts.services.limits import breaker
from mailaccounts.services.limits.breaker import guard

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import SettingsWrapper

HOST = "imap.example.test"
URL = f"imaps://{HOST}:993"
SILENCE = ConnectionTimedOut(host=HOST)


class Clock:
    """The breaker's time, which passes when the test says so."""

    def __init__(self) -> None:
        self.now = time.time()

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(breaker, "time", made)
    return made


@pytest.fixture(autouse=True, params=["memory", "redis"])
def _a_cache(request: pytest.FixtureRequest, settings: SettingsWrapper) -> None:
    """That of the embedded default, and the one that workers share."""
    if request.param == "redis":
        location = request.getfixturevalue("redis_url")
        settings.CACHES = {"default": {"BACKEND": "crm.cache.RedisOrMemoryCache", "LOCATION": location}}


class Server:
    """Raises ``trouble``, or answers when that is None, and counts who asked."""

    def __init__(self, trouble: Exception | None = SILENCE) -> None:
        self.trouble, self.asked = trouble, 0

    def ask(self, *, url: str = URL, insist: bool = False) -> MailAccountsError | None:
        try:
            with guard(url, host=HOST, insist=insist):
                self.asked += 1
                if self.trouble is not None:
                    raise self.trouble
        except MailAccountsError as error:
            return error
        return None


def open_circuit() -> Server:
    server = Server()
    for _ in range(5):
        assert server.ask() is SILENCE
    return server


def test_after_five_failures_in_a_row_nobody_asks_any_more(clock: Clock) -> None:
    server = open_circuit()
    told = [server.ask() for _ in range(100)]
    assert all(isinstance(error, ServerDown) and 0 < error.retry_after <= 30 for error in told)
    assert server.asked == 5
    assert Server(trouble=None).ask(url=f"imaps://{HOST}:1993") is None, "another server is another matter"


def test_a_server_that_answers_in_between_is_not_down() -> None:
    down, up = Server(), Server(trouble=None)
    for _ in range(4):
        for _ in range(4):
            down.ask()
        up.ask()
    assert down.asked == 16


@pytest.mark.parametrize("answer", [PasswordRejected(host=HOST), RuntimeError()], ids=lambda each: type(each).__name__)
def test_a_refusal_is_an_answer(answer: Exception, clock: Clock) -> None:
    server = open_circuit()
    clock.now += 31
    server.trouble = answer
    with pytest.raises(type(answer)), guard(URL, host=HOST):
        raise answer
    server.trouble = None
    assert server.ask() is None


def test_hosts_that_we_do_not_connect_to_are_not_down() -> None:
    refused = Server(HostNotAllowed(host=HOST))
    assert all(isinstance(refused.ask(), HostNotAllowed) for _ in range(20))


def test_of_a_crowd_one_looks_whether_the_server_is_back(clock: Clock) -> None:
    open_circuit()
    clock.now += 31
    looking, done = threading.Event(), threading.Event()

    def look() -> None:
        with pytest.raises(ConnectionTimedOut), guard(URL, host=HOST):
            looking.set()
            done.wait(timeout=30)
            raise SILENCE

    thread = threading.Thread(target=look)
    thread.start()
    assert looking.wait(timeout=30)
    crowd = Server()
    assert all(isinstance(crowd.ask(), ServerDown) for _ in range(20))
    done.set()
    thread.join()
    assert isinstance(crowd.ask(), ServerDown)
    assert crowd.asked == 0


def test_looking_in_vain_makes_the_pauses_longer_up_to_five_minutes(clock: Clock) -> None:
    server, began = open_circuit(), clock.now
    looked = []
    while clock.now < began + 1500:
        before = server.asked
        server.ask()
        if server.asked > before:
            looked.append(clock.now - began)
        clock.now += 1
    pauses = [round(later - earlier) for earlier, later in zip([0.0, *looked], looked, strict=False)]
    assert pauses == [30, 60, 120, 240, 300, 300, 300]


def test_the_first_answer_lets_everybody_in_again(clock: Clock) -> None:
    server = open_circuit()
    clock.now += 31
    server.trouble = None
    assert [server.ask() for _ in range(10)] == [None] * 10
    server.trouble = SILENCE
    assert [server.ask() for _ in range(5)] == [SILENCE] * 5, "and it takes five again"
    assert isinstance(server.ask(), ServerDown)


def test_somebody_who_waits_is_let_through_and_may_bring_the_good_news() -> None:
    server = open_circuit()
    assert server.ask(insist=True) is SILENCE
    server.trouble = None
    assert server.ask(insist=True) is None
    assert server.ask() is None


def test_a_server_that_says_when_to_come_back_is_not_asked_before(clock: Clock) -> None:
    server = Server(Throttled(host=HOST, retry_after=500))
    for _ in range(5):
        server.ask()
    clock.now += 499
    assert isinstance(server.ask(), ServerDown)
    clock.now += 2
    assert isinstance(server.ask(), Throttled)


def test_one_who_looks_and_is_lost_keeps_nobody_from_looking(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    open_circuit()
    clock.now += 31
    monkeypatch.setattr(breaker, "PROBE_SECONDS", 0.05)
    lost = guard(URL, host=HOST)
    lost.__enter__()  # and never comes back
    server = Server(trouble=None)
    until(lambda: server.ask() is None)
    assert server.asked == 1


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
