"""How often an account is looked at."""

from __future__ import annotations

from functools import partial

import pytest

from mailaccounts.rules.interval import next_interval

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
usual = partial(next_interval, shortest=MINUTE, longest=HOUR, chance=lambda: 0.0)


@pytest.mark.parametrize(
    ("quiet", "seconds"),
    [(0, MINUTE), (10 * MINUTE, MINUTE), (HOUR, 5 * MINUTE), (6 * HOUR, 30 * MINUTE), (DAY, HOUR), (365 * DAY, HOUR)],
)
def test_busy_accounts_come_often_and_dormant_ones_rarely(quiet: float, seconds: float) -> None:
    assert usual(quiet=quiet) == seconds


def test_an_account_that_is_watched_is_polled_rarely_however_busy() -> None:
    assert usual(quiet=0, watched=True) == HOUR


def test_no_account_waits_longer_than_the_bound() -> None:
    longest = max(
        next_interval(quiet=quiet, watched=watched, shortest=MINUTE, longest=HOUR)
        for quiet in (0, HOUR, 365 * DAY)
        for watched in (False, True)
        for _ in range(50)
    )
    assert longest <= HOUR


def test_a_clock_that_went_back_is_no_trouble() -> None:
    assert usual(quiet=-DAY) == MINUTE


def test_accounts_that_were_polled_together_drift_apart() -> None:
    intervals = {next_interval(quiet=0, shortest=MINUTE, longest=HOUR) for _ in range(50)}
    assert len(intervals) > 40
    assert all(48 <= interval <= 60 for interval in intervals)
