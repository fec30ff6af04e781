"""How a watcher is doing, told whenever that has changed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SHOWN_SECONDS = 1.0  # between two reports, at least
QUIET_SECONDS = 60.0  # and at most


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchStatus:
    """``watched`` mailboxes tell what arrives, ``waiting`` ones are about to; the rest are totals since the start:
    ``changes`` heard of, ``syncs`` queued for them, connections ``lost`` and sign-ins ``failed``."""

    watched: int = 0
    waiting: int = 0
    changes: int = 0
    syncs: int = 0
    lost: int = 0
    failed: int = 0


class Reports:
    """Hands what there is to say to ``show``: not too often, and now and then though nothing has changed."""

    def __init__(self, show: Callable[[WatchStatus], None]) -> None:
        self._show, self._shown, self._shown_at = show, WatchStatus(), 0.0

    def next_at(self, status: WatchStatus) -> float:
        return self._shown_at + (QUIET_SECONDS if status == self._shown else SHOWN_SECONDS)

    def give(self, status: WatchStatus) -> None:
        if time.monotonic() >= self.next_at(status):
            self._shown, self._shown_at = status, time.monotonic()
            self._show(status)
