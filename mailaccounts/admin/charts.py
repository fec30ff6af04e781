"""Bars that the server draws: plain shapes for an SVG without a style of its own, and the numbers as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 1000, 200  # of the drawing, which is stretched to its place
FEWEST = 14  # bars that a drawing has room for: one alone doesn't fill it
FILLED = 0.8  # of its place, by a bar


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A part of a bar: where it is, and the name of what it stands for."""

    x: float
    y: float
    width: float
    height: float
    series: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """``series`` are names and labels, the lowest part of each bar first; ``most`` is what the highest bar stands for.
    ``rows`` are the numbers, the newest first, each with the sum at its end."""

    shapes: list[Shape]
    series: Sequence[tuple[str, str]]
    first: str
    last: str
    most: int
    rows: list[tuple[str, list[int]]]
    width: int = WIDTH
    height: int = HEIGHT


def bars(columns: Sequence[tuple[str, Mapping[str, int]]], series: Sequence[tuple[str, str]]) -> Chart:
    """One bar for each column, oldest first, with its parts on top of each other."""
    sums = [sum(numbers.get(name, 0) for name, _ in series) for _, numbers in columns]
    most = max(sums, default=0)
    place = WIDTH / max(len(columns), FEWEST)
    shapes = []
    for number, (_, numbers) in enumerate(columns):
        top = float(HEIGHT)
        for name, _ in series:
            height = HEIGHT * numbers.get(name, 0) / most if most else 0.0
            if height:
                top -= height
                x = WIDTH - (len(columns) - number) * place
                shapes.append(_shape(x, top, place * FILLED, height, name))
    rows = [
        (label, [*(numbers.get(name, 0) for name, _ in series), total])
        for (label, numbers), total in zip(columns, sums, strict=True)
    ]
    return Chart(
        shapes=shapes,
        series=series,
        first=columns[0][0] if columns else "",
        last=columns[-1][0] if columns else "",
        most=most,
        rows=rows[::-1],
    )


def _shape(x: float, y: float, width: float, height: float, series: str) -> Shape:
    return Shape(x=round(x, 2), y=round(y, 2), width=round(width, 2), height=round(height, 2), series=series)
