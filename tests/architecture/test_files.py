"""Files stay small, and every exception to a rule says why."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST_LINES = 400
SOURCES = sorted(
    path
    for room in ("mailaccounts", "crm", "tests")
    for path in (ROOT / room).rglob("*.py")
    if "migrations" not in path.parts
)
EXCEPTION = re.compile(r"#\s*(?:noqa|type:\s*ignore)(?P<which>[^#]*)(?P<rest>.*)")
REASON = re.compile(r"[#-]\s*\w+.*\w")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_file_is_short_enough_to_be_read_in_one_go(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_most_files_hold_one_idea() -> None:
    long = [name(path) for path in SOURCES if len(path.read_text(encoding="utf-8").splitlines()) > 250]
    assert len(long) <= len(SOURCES) // 10, long


def test_every_exception_to_a_rule_says_why() -> None:
    """``# noqa: X - because``, ``# type: ignore[x]  # because``."""
    silent = []
    for path in SOURCES:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            found = EXCEPTION.search(line)
            if found and path != Path(__file__) and not has_reason(found["which"] + found["rest"]):
                silent.append(f"{name(path)}:{number}")
    assert silent == []


def has_reason(text: str) -> bool:
    codes = re.match(r"\s*(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*|\[[\w, -]+\])?", text)
    return bool(REASON.search(text[codes.end() :] if codes else text))


def test_no_test_is_skipped_and_none_is_expected_to_fail() -> None:
    excuse = re.compile(r"pytest\.(?:skip|xfail|importorskip)|mark\.(?:skip|skipif|xfail)")
    tests = [path for path in SOURCES if "tests" in path.parts and path != Path(__file__)]
    assert [name(path) for path in tests if excuse.search(path.read_text(encoding="utf-8"))] == []
