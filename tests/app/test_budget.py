"""A mail server is never asked by more workers at a time than it may be, and gets the rest that it asks for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from django.core.cache import cache

from mailaccounts.errors import NetworkError, Throttled
from mailaccounts.services.limits import budget
from mailaccounts.services.limits.budget import at_most

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

HOST = "imap.example.test"


@pytest.fixture(autouse=True)
def _three_at_once(settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "MOVES_AT_ONCE": 3}
    monkeypatch.setattr(budget, "POLL_SECONDS", 0.01)


def test_many_workers_are_let_in_a_few_at_a_time() -> None:
    inside, most, lock = 0, 0, threading.Lock()
    full = threading.Barrier(3)

    def work() -> None:
        nonlocal inside, most
        with at_most(HOST):
            with lock:
                inside += 1
                most = max(most, inside)
            full.wait(timeout=30)  # goes on only once three are inside together
            with lock:
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside, most) == (0, 3)


def test_who_finds_no_room_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "WAIT_SECONDS", 0.05)
    with at_most(HOST), at_most(HOST), at_most(HOST):
        with pytest.raises(Throttled) as caught, at_most(HOST.upper()):
            pass
        with at_most("another.example.test"):
            pass
    assert caught.value.retry_after
    with at_most(HOST):
        pass


def test_a_server_that_asks_for_a_rest_gets_it_from_every_worker() -> None:
    with pytest.raises(Throttled), at_most(HOST):
        raise Throttled(host=HOST, retry_after=120)
    with pytest.raises(Throttled) as caught, at_most(HOST):
        pytest.fail("it was asked all the same")
    assert 100 < (caught.value.retry_after or 0) <= 120
    with at_most("another.example.test"):
        pass


def test_trouble_of_another_kind_is_no_reason_to_rest() -> None:
    with pytest.raises(NetworkError), at_most(HOST):
        raise NetworkError(host=HOST)
    with at_most(HOST):
        pass


def test_a_slot_that_was_lost_and_taken_again_is_not_given_away() -> None:
    """A worker that overslept leaves the slot to who has it now."""
    keys = [f"mailaccounts:moves:{HOST}:{number}" for number in range(3)]
    with at_most(HOST):
        cache.clear()
        cache.set_many(dict.fromkeys(keys, "somebody else's"))
    assert [cache.get(key) for key in keys] == ["somebody else's"] * 3
