"""UID sets (RFC 9051 §9, sequence-set): written as short as can be, read without being expanded."""

from __future__ import annotations

import heapq
import re
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_UID = 2**32 - 1
MAX_SET = 7000  # octets of a set in a command, whose line may have 8192 (RFC 7162 §4)

UidRanges = tuple[tuple[int, int], ...]  # first and last, both included

SET = re.compile(rb"(\d{1,10})(?::(\d{1,10}))?(?:,|\Z)")


def ranges_of(uids: Iterable[int]) -> list[tuple[int, int]]:
    """``[1, 2, 3, 7]`` as ``[(1, 3), (7, 7)]``. ValueError for what is no UID."""
    found: list[tuple[int, int]] = []
    first = last = 0
    for uid in sorted(set(uids)):
        if not 0 < uid <= MAX_UID:
            raise ValueError("not a UID")
        if uid != last + 1 or not last:
            if last:
                found.append((first, last))
            first = uid
        last = uid
    if last:
        found.append((first, last))
    return found


def uid_set(uids: Iterable[int]) -> str:
    """``[1, 2, 3, 7]`` as ``1:3,7``: exactly these UIDs, in as few characters as can be."""
    return _written(ranges_of(uids))


def expanded(text: str) -> list[int]:
    """The UIDs of a set of our own."""
    return [uid for first, last in each_range(text.encode("ascii")) for uid in range(first, last + 1)]


def wide_set(uids: Iterable[int], *, octets: int = MAX_SET) -> str:
    """These UIDs in at most ``octets``; where they don't fit, the smallest gaps between them are asked for as well."""
    ranges = ranges_of(uids)
    text = _written(ranges)
    if len(text) <= octets:
        return text
    most = len(ranges) * octets // len(text)
    while len(text) > octets:
        text = _written(_merged(ranges, most))
        most = most * 3 // 4
    return text


def _merged(ranges: list[tuple[int, int]], most: int) -> Iterable[tuple[int, int]]:
    """``ranges``, those next to each other in one, until there are no more than ``most``."""
    gaps = heapq.nlargest(most - 1, range(1, len(ranges)), key=lambda at: ranges[at][0] - ranges[at - 1][1])
    starts = [0, *sorted(gaps)]
    ends = [*(at - 1 for at in starts[1:]), len(ranges) - 1]
    return ((ranges[start][0], ranges[end][1]) for start, end in zip(starts, ends, strict=True))


def chunks(uids: Sequence[int], *, most: int, octets: int = MAX_SET) -> Iterator[Sequence[int]]:
    """Cuts ``uids``, in their order, into what one command may name: at most ``most``, in at most ``octets``."""
    start = 0
    while start < len(uids):
        chunk = uids[start : start + most]
        while len(chunk) > 1 and len(uid_set(chunk)) > octets:
            chunk = chunk[: (len(chunk) + 1) // 2]
        yield chunk
        start += len(chunk)


def read_ranges(text: bytes, *, most: int) -> UidRanges | None:
    """The ranges of a set that a server sent; None when there are more than ``most``. ValueError if it is no set."""
    found = tuple(islice(each_range(text), most + 1))
    return found if len(found) <= most else None


def each_range(text: bytes) -> Iterator[tuple[int, int]]:
    """The ranges of a set that a server sent, one by one: there may be very many."""
    position = 0
    while position < len(text):
        match = SET.match(text, position)
        if match is None:
            raise ValueError("not a set of UIDs")
        first = int(match[1])
        last = int(match[2] or first)
        if first > last:  # the two may come in any order
            first, last = last, first
        if last <= MAX_UID and last:
            yield max(first, 1), last
        position = match.end()


def _written(ranges: Iterable[tuple[int, int]]) -> str:
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in ranges)
