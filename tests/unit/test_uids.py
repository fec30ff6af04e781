"""UID sets, written and read."""

from __future__ import annotations

import pytest

from mailaccounts.mail.uids import MAX_SET, MAX_UID, chunks, ranges_of, read_ranges, uid_set, wide_set

SCATTERED = range(MAX_UID - 60_000, MAX_UID, 3)


def numbers(text: str) -> set[int]:
    ranges = read_ranges(text.encode(), most=10**6)
    assert ranges is not None
    return {uid for first, last in ranges for uid in range(first, last + 1)}


def test_neighbours_become_ranges_and_nothing_else_is_named() -> None:
    assert uid_set([7, 1, 3, 2, 3]) == "1:3,7"
    assert uid_set([5]) == "5"
    assert uid_set([MAX_UID]) == str(MAX_UID)
    assert uid_set([]) == ""
    assert ranges_of([9, 8, 1]) == [(1, 1), (8, 9)]


@pytest.mark.parametrize("uid", [0, -1, MAX_UID + 1])
def test_what_is_no_uid_is_not_sent(uid: int) -> None:
    with pytest.raises(ValueError, match="not a UID"):
        uid_set([uid])


def test_what_fits_is_named_exactly_and_what_does_not_loses_its_smallest_gaps() -> None:
    assert wide_set([1, 2, 3, 7]) == "1:3,7"
    assert wide_set([1, 3, 5, 900, 902], octets=12) == "1:5,900:902"
    assert wide_set([1, 3, 5, 900, 902], octets=5) == "1:902"


def test_a_wide_set_names_all_it_should_in_the_room_it_has() -> None:
    text = wide_set(SCATTERED)
    assert MAX_SET // 2 < len(text) <= MAX_SET
    assert numbers(text) >= set(SCATTERED)


def test_chunks_keep_the_order_and_fit_a_command() -> None:
    uids = [5, 4, *SCATTERED, 1]
    cut = [list(chunk) for chunk in chunks(uids, most=900)]
    assert [uid for chunk in cut for uid in chunk] == uids
    assert max(map(len, cut)) <= 900
    assert max(len(uid_set(chunk)) for chunk in cut) <= MAX_SET
    assert [len(chunk) for chunk in chunks(range(1, 2001), most=900)] == [900, 900, 200]


def test_a_set_is_read_without_being_expanded() -> None:
    assert read_ranges(b"1:4294967295", most=1) == ((1, MAX_UID),)
    assert read_ranges(b"7,9:8,300", most=10) == ((7, 7), (8, 9), (300, 300))
    assert read_ranges(b"", most=10) == ()


def test_more_ranges_than_wanted_are_none_at_all() -> None:
    assert read_ranges(b",".join(b"%d" % uid for uid in range(1, 100, 2)), most=20) is None


def test_what_is_no_uid_is_left_out_of_what_was_read() -> None:
    assert read_ranges(b"0,4294967296,9999999999,0:3", most=10) == ((1, 3),)


@pytest.mark.parametrize("text", [b"1:", b"*", b"1:*", b"a", b"1 2", b"1,,2", b"-1", b"12345678901", b"1:2:3", b"(1)"])
def test_what_is_no_set_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="not a set"):
        read_ranges(text, most=10)
