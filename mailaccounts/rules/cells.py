"""Cells of a CSV file that people open with a spreadsheet."""

from __future__ import annotations

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what makes a spreadsheet run a cell


def harmless(text: str) -> str:
    """``text`` as a cell that a spreadsheet shows and doesn't run."""
    return f"'{text}" if text.startswith(FORMULA) else text
