"""How many connections a server is asked for, how fast, and what is left of them when it doesn't take as many."""

from __future__ import annotations

import pytest

from mailaccounts.rules.watching import (
    CERTAIN,
    LIMIT_SECONDS,
    LONGEST_SECONDS,
    SPREAD_SECONDS,
    WITHOUT_IDLE_SECONDS,
    Host,
    back_off,
)

RATE = 20


def open_many(host: Host, count: int, now: float = 0.0) -> None:
    for _ in range(count):
        host.begin(now, per_second=RATE)
        host.opened()


def test_sign_ins_are_paced() -> None:
    host, now, begun = Host(), 1000.0, 0
    for _ in range(1000):  # ten seconds
        for _ in range(host.admits(now, per_second=RATE)):
            host.begin(now, per_second=RATE)
            host.opened()
            begun += 1
        now += 0.01
    assert begun == pytest.approx(10 * RATE, rel=0.05)


def test_a_server_that_failed_is_left_alone_for_a_while_and_then_tried_by_one() -> None:
    host = Host()
    host.begin(0.0, per_second=RATE)
    host.failed()
    host.unreached(0.0)
    assert host.is_closed(1.0)
    assert host.admits(1.0, per_second=RATE) == 0
    assert host.admits(60.0, per_second=RATE) == 1
    host.begin(60.0, per_second=RATE)
    assert host.admits(61.0, per_second=RATE) == 0, "somebody is looking"
    host.opened()
    assert host.admits(61.0, per_second=RATE) > 1


def test_pauses_grow_up_to_an_hour() -> None:
    assert back_off(0) <= SPREAD_SECONDS
    assert [round(back_off(failures) / 5 + 0.5) for failures in (1, 2, 3)] == pytest.approx([1, 2, 4], abs=1)
    assert back_off(50) <= 1.1 * LONGEST_SECONDS


def test_a_server_without_idle_is_asked_again_after_an_hour() -> None:
    host = Host()
    host.without_idle(0.0)
    assert host.is_closed(WITHOUT_IDLE_SECONDS - 1)
    assert not host.is_closed(WITHOUT_IDLE_SECONDS)


def test_one_mailbox_with_a_limit_of_its_own_limits_no_other() -> None:
    host = Host()
    open_many(host, 50)
    assert [host.too_many(7, 0.0) for _ in range(10)] == [0] * 10
    assert host.room(0.0) is None


def test_a_server_that_is_full_gets_a_tenth_back_and_later_another_chance() -> None:
    host = Host()
    open_many(host, 50)
    assert [host.too_many(account, 0.0) for account in range(CERTAIN)] == [0, 0, 5]
    assert (host.limit, host.room(1.0)) == (45, 0)
    for _ in range(6):
        host.closed()
    assert host.room(1.0) == 1
    assert host.room(LIMIT_SECONDS) is None


def test_of_few_connections_two_are_given_back() -> None:
    host = Host()
    open_many(host, 3)
    assert sum(host.too_many(account, 0.0) for account in range(CERTAIN)) == 2
    assert host.limit == 1
