"""What is kept of a message's flags."""

from __future__ import annotations

from mailaccounts.rules import flags


def test_the_same_flags_in_any_order_give_the_same_text() -> None:
    assert flags.text(["work", "\\Seen"]) == flags.text(["\\Seen", "work", "work"]) == "\\Seen work"


def test_recent_belongs_to_a_session_and_is_left_out() -> None:
    assert flags.text(["\\Recent", "\\RECENT", "\\Flagged"]) == "\\Flagged"


def test_what_no_flag_looks_like_is_left_out_and_their_number_is_limited() -> None:
    assert flags.text(["a b", "", "n\0ul", "x" * 101, "ok"]) == "ok"
    assert len(flags.text(f"f{number}" for number in range(1000)).split()) == flags.MOST


def test_seen_is_seen_in_any_case() -> None:
    assert flags.is_seen(["\\SEEN"]) and flags.is_seen(["x", "\\Seen"])
    assert not flags.is_seen(["\\Answered", "seen"])
