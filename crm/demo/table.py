"""The steps of the story as a table that grows line by line."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

STEP, RESULT = 32, 66


@dataclass(slots=True)
class Step:
    """What is under way; whoever does it says in ``result`` what came of it."""

    name: str
    result: str = ""


@dataclass(slots=True)
class Table:
    """Prints a line per step, with how long it took."""

    current: str = field(default="", init=False)

    def head(self) -> None:
        self._line("STEP", "RESULT", "SECONDS")

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        self.current = name
        step, started = Step(name), time.monotonic()
        try:
            yield step
        except BaseException:
            self._line(name, "FAILED", f"{time.monotonic() - started:.1f}")
            raise
        self._line(name, step.result, f"{time.monotonic() - started:.1f}")

    def _line(self, name: str, result: str, seconds: str) -> None:
        sys.stdout.write(f"{name:<{STEP}}  {result:<{RESULT}}  {seconds:>7}\n")
        sys.stdout.flush()
