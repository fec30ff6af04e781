"""Measures work beside its limit or peer, in the same run: five times after a warm-up, medians, and their ratio."""

from __future__ import annotations

import json
import os
import statistics
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Medians in seconds. ``ratio`` is ours over the peer's: less is better. ``…_cpu`` is what the client took of the
    processor, the servers left out; 0 where that wasn't measured."""

    name: str
    ours: float
    peer_name: str
    peer: float
    must: float
    ours_cpu: float = 0.0
    peer_cpu: float = 0.0

    @property
    def ratio(self) -> float:
        return self.ours / self.peer

    def report(self) -> str:
        """A line for people and a line of JSON."""
        line = f"{self.name}: {self.ours:.4f} s, {self.peer_name}: {self.peer:.4f} s, ratio {self.ratio:.2f}"
        if self.peer_cpu:
            line += f", CPU {self.ours_cpu:.2f} and {self.peer_cpu:.2f} s"
        return f"{line} (must be ≤ {self.must})\n{json.dumps({**asdict(self), 'ratio': round(self.ratio, 3)})}"


def nothing() -> None:
    """Nothing has to be prepared."""


def compare(
    name: str,
    ours: Callable[[], object],
    *,
    peer_name: str,
    peer: Callable[[], object],
    must: float,
    prepare: Callable[[], object] = nothing,
) -> Comparison:
    """Runs both in turn, so that a noisy machine is noisy for both; ``prepare`` comes before each and isn't timed."""
    timed: dict[str, list[tuple[float, float]]] = {"ours": [], "peer": []}
    for round_number in range(ROUNDS + 1):
        for who, work in (("ours", ours), ("peer", peer)):
            prepare()
            started, cpu = time.perf_counter(), _cpu()
            work()
            if round_number:  # the first is the warm-up
                timed[who].append((time.perf_counter() - started, _cpu() - cpu))
    seconds = {who: statistics.median(wall for wall, _ in times) for who, times in timed.items()}
    cpu_seconds = {who: statistics.median(used for _, used in times) for who, times in timed.items()}
    return Comparison(
        name=name,
        ours=seconds["ours"],
        peer_name=peer_name,
        peer=seconds["peer"],
        must=must,
        ours_cpu=cpu_seconds["ours"],
        peer_cpu=cpu_seconds["peer"],
    )


def _cpu() -> float:
    """Seconds that this process and its children that have ended took so far."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
