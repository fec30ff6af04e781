"""When an account is tried again."""

from __future__ import annotations

import pytest

from mailaccounts.rules.backoff import next_delay, put_off_delay


def middle() -> float:
    return 0.5


@pytest.mark.parametrize(("failures", "seconds"), [(1, 60), (2, 120), (3, 240), (6, 1920), (7, 3600), (10_000, 3600)])
def test_failures_double_the_wait_up_to_an_hour(failures: int, seconds: float) -> None:
    assert next_delay(failures, chance=middle) == seconds


def test_what_the_server_asks_for_is_the_least() -> None:
    assert next_delay(1, retry_after=1000, chance=lambda: 0.0) == 1000
    assert next_delay(7, retry_after=10, chance=middle) == 3600


def test_a_server_that_asks_for_a_year_gets_a_day() -> None:
    assert next_delay(1, retry_after=365 * 86400, chance=lambda: 0.0) == 86400
    assert put_off_delay(365 * 86400, chance=lambda: 0.0) == 86400


def test_accounts_that_failed_together_do_not_return_together() -> None:
    delays = {next_delay(1) for _ in range(50)}
    assert len(delays) > 40
    assert all(54 <= delay <= 66 for delay in delays)


def test_accounts_that_were_put_off_together_come_back_over_ten_minutes() -> None:
    delays = sorted(put_off_delay(100) for _ in range(200))
    assert 100 <= delays[0] < 200
    assert 600 < delays[-1] <= 700
