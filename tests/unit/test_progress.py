"""How far a sync is, in words: counts at once, rate and time left when they can be told."""

from __future__ import annotations

import pytest

from mailaccounts.rules.progress import Pace


@pytest.mark.parametrize(
    ("done", "total", "seconds", "words"),
    [
        (0, 0, 9, "0 of 0"),
        (200, 5000, 1, "200 of 5,000"),
        (1200, 5000, 4, "1,200 of 5,000, 250 a second, 15 s left"),
        (1200, 200_000, 10, "1,200 of 200,000, 100 a second, 33 min left"),
        (201, 5000, 60, "201 of 5,000, 1 a minute, 80 h left"),
        (200, 5000, 60, "200 of 5,000"),
        (5000, 5000, 60, "5,000 of 5,000"),
        (5100, 5000, 60, "5,100 of 5,100"),
    ],
)
def test_progress_is_told(done: int, total: int, seconds: float, words: str) -> None:
    assert Pace(began=100.0, first=200).words(done, total, now=100.0 + seconds) == words
