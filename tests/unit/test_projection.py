"""When a campaign will be done, from the pace so far."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailaccounts.rules.projection import finish

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def test_it_goes_on_as_it_did() -> None:
    assert finish(moved=10, left=30, since=NOW - timedelta(hours=5), now=NOW) == NOW + timedelta(hours=15)


@pytest.mark.parametrize(
    ("moved", "left", "since"),
    [(0, 5, NOW - timedelta(hours=1)), (5, 0, NOW - timedelta(hours=1)), (5, 5, None), (5, 5, NOW)],
    ids=["nobody has moved", "nobody is left", "nothing has begun", "it begins now"],
)
def test_without_a_pace_there_is_no_projection(moved: int, left: int, since: datetime | None) -> None:
    assert finish(moved=moved, left=left, since=since, now=NOW) is None


def test_an_end_beyond_all_calendars_is_none() -> None:
    assert finish(moved=1, left=10**9, since=NOW - timedelta(days=365), now=NOW) is None
