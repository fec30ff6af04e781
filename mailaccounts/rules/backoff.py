"""When to try again."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_SECONDS = 60.0
CAP_SECONDS = 3600.0  # an outage may end any time: never stay away for longer
LONGEST_WAIT = 24 * 3600.0  # that a server may ask for
RETURN_SECONDS = 600.0  # over which accounts that were put off together come back


def next_delay(
    failures: int, *, retry_after: float | None = None, chance: Callable[[], float] = random.random
) -> float:
    """Seconds until the next try, after so many ``failures`` in a row.

    One minute, two, four … up to an hour. ``retry_after`` is what the server asked for at least. Spread by ±10 %, so
    that accounts that failed together don't return together.
    """
    usual: float = min(FIRST_SECONDS * 2 ** min(failures - 1, 16), CAP_SECONDS)
    spread = usual * (0.9 + 0.2 * chance())
    asked = min(retry_after or 0.0, LONGEST_WAIT) * (1 + 0.1 * chance())
    return max(spread, asked)


def put_off_delay(retry_after: float, *, chance: Callable[[], float] = random.random) -> float:
    """Seconds until an account that wasn't tried at all has its turn: not before ``retry_after``, and all those that
    wait for the same thing spread over the ten minutes that follow."""
    return min(retry_after, LONGEST_WAIT) + RETURN_SECONDS * chance()


AGAIN_HOURS = (0.2, 1, 6, 24, 72)  # after the first attempt in vain, the second, …


def again_after(attempts: int) -> timedelta | None:
    """How long a message that made trouble ``attempts`` times is left alone; None: for good."""
    return timedelta(hours=AGAIN_HOURS[attempts - 1]) if attempts <= len(AGAIN_HOURS) else None
