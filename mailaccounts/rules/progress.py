"""How far something is, in words for a person who waits."""

from __future__ import annotations

from dataclasses import dataclass

ENOUGH_SECONDS = 2.0  # before that a rate is a guess


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Since the instant ``began`` (seconds, of whatever clock) ``done`` rose from ``first``."""

    began: float
    first: int

    def words(self, done: int, total: int, *, now: float) -> str:
        """``1,200 of 5,000, 350 a second, 11 s left``: rate and time left once they can be told."""
        text = f"{done:,} of {max(done, total):,}"
        spent = now - self.began
        if spent < ENOUGH_SECONDS or done <= self.first or done >= total:
            return text
        rate = (done - self.first) / spent
        return f"{text}, {_rate(rate)}, {_duration((total - done) / rate)} left"


def _rate(rate: float) -> str:
    return f"{round(rate):,} a second" if rate >= 1 else f"{max(1, round(rate * 60))} a minute"


def _duration(seconds: float) -> str:
    for size, name in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{round(seconds / size)} {name}"
    return f"{max(1, round(seconds))} s"
