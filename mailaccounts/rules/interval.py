"""How long an account may go without being looked at."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SHARE = 1 / 12  # of the time that no mail came: an hour of silence, and five minutes more make little difference


def next_interval(
    *,
    quiet: float,
    watched: bool = False,
    shortest: float,
    longest: float,
    chance: Callable[[], float] = random.random,
) -> float:
    """Seconds until the next poll of an account whose last mail came ``quiet`` seconds ago.

    Busy accounts come often and dormant ones rarely, between ``shortest`` and ``longest``. Of one that is ``watched``
    somebody is told what arrives, so that polling is only there for what they miss. Never longer than ``longest``,
    and up to 20 % less, so that accounts that were polled together drift apart.
    """
    usual = longest if watched else min(max(quiet * SHARE, shortest), longest)
    return usual * (1 - 0.2 * chance())
