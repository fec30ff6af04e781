"""FETCH: the commands of the hot path, and what their answers become.

Only PEEK forms are ever sent, so no message is marked as seen (RFC 9051 §6.4.5).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from mailaccounts.mail.imap_pipeline import Command
from mailaccounts.mail.imap_responses import MAX_FLAGS, number
from mailaccounts.mail.provider_marks import identity_items, labels_of, provided
from mailaccounts.mail.responses import Code
from mailaccounts.mail.types import FetchedBody, FetchedHeaders, Marks
from mailaccounts.mail.uids import uid_set

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailaccounts.mail.abilities import Abilities
    from mailaccounts.mail.imap_responses import Attributes

# What parsing, matching and threading need of a header; nothing else is asked for.
HEADER_FIELDS = (
    "DATE FROM SENDER REPLY-TO TO CC BCC SUBJECT MESSAGE-ID IN-REPLY-TO REFERENCES "
    "DELIVERED-TO AUTO-SUBMITTED LIST-ID PRECEDENCE CONTENT-TYPE"
)
MAX_HEADER = 65_536  # octets of these fields: with BATCH of them, what anybody may send us fits a command's budget
HEADER = f"BODY.PEEK[HEADER.FIELDS ({HEADER_FIELDS})]<0.{MAX_HEADER}>"
HEADER_ITEMS = f"(UID FLAGS INTERNALDATE RFC822.SIZE {HEADER})"
BATCH = 500  # messages whose headers one command asks for
EPOCH = datetime.fromtimestamp(0, UTC)
ANSWER_OCTETS = 500  # what the attributes of a message take, beside its header and body
SHORT = 200  # octets of the flags of a message that are worth remembering, as most messages have the same

PARTS = frozenset((b"BODY[HEADER]", b"BODY[]", b"BODYSTRUCTURE", b"X-GM-LABELS"))  # what may be long
INTERNAL_DATE = re.compile(rb"\s?(\d{1,2}-\w{3}-\d{4}) (\d\d):(\d\d):(\d\d) ([+-]\d{4})")
MONTHS = {
    name: number for number, name in enumerate(b"JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(), start=1)
}


class Fetch(Command):
    """UID FETCH of ``items``; ``found`` has the attributes by UID, of messages that are there.

    Answers about the same message are merged, whatever comes first wins. Of a header or body no more than
    ``most_octets`` is kept, whatever the server sends.
    """

    def __init__(self, uids: Sequence[int], items: str, *, most_octets: int = MAX_HEADER, expected: int = 0) -> None:
        super().__init__("UID FETCH", uid_set(uids), items)
        self.asked, self.items, self.most_octets, self.expected = uids, items, most_octets, expected
        self.uids = frozenset(uids)
        self.found: dict[int, Attributes] = {}

    def keep(self, uid: int, attributes: Attributes) -> None:
        for name in PARTS & attributes.keys():
            value = attributes[name] or b""
            if len(value) > self.most_octets:
                attributes = attributes | {name: value[: self.most_octets]}
            self.kept += min(len(value), self.most_octets)
        self.kept += ANSWER_OCTETS
        if uid in self.found:
            attributes = attributes | self.found[uid]
        self.found[uid] = attributes

    def drop(self) -> None:
        super().drop()
        self.found = {}

    def insist(self) -> None:
        """An end without the messages that were expunged is a good one as well (RFC 5530)."""
        if self.status is None or self.status.code is not Code.EXPUNGEISSUED:
            super().insist()


class FetchMarks(Command):
    """UID FETCH of flags and, if ``labels``, of Gmail's labels; of what changed since a modification sequence if one
    is given. ``found`` has them by UID."""

    lines = 10**6  # one message each, of a folder that may be large

    def __init__(
        self, text: str, *, uids: frozenset[int], labels: bool = False, changed_since: int | None = None
    ) -> None:
        modifier = [] if changed_since is None else [f"(CHANGEDSINCE {changed_since})"]
        super().__init__("UID FETCH", text, "(UID FLAGS X-GM-LABELS)" if labels else "(UID FLAGS)", *modifier)
        self.uids = uids
        self.found: dict[int, Marks] = {}

    def keep(self, uid: int, attributes: Attributes) -> None:
        value = attributes.get(b"FLAGS")
        if value is None:
            return
        told = labels_of(attributes)
        if told is None and uid in self.found:  # of new flags, while the answer was under way
            told = self.found[uid].labels
        self.found[uid] = Marks(flags=flags_of(value), labels=told)
        self.kept += octets_of(value) + octets_of(attributes.get(b"X-GM-LABELS") or b"")


def header_items(can: Abilities) -> str:
    """What a header fetch asks for: HEADER_ITEMS, and the ids and labels of servers that have such."""
    more = identity_items(can)
    return f"(UID FLAGS {more} INTERNALDATE RFC822.SIZE {HEADER})" if more else HEADER_ITEMS


def internal_date(value: bytes | None) -> datetime:
    """INTERNALDATE in UTC; the epoch when the server sent nonsense, so that the message still gets through.

    Nonsense is any date before 1970 or after 2099 as well: those at the ends of the calendar have no local time.
    """
    match = INTERNAL_DATE.fullmatch(value) if value is not None else None
    if match is None:
        return EPOCH
    day, hours, minutes, seconds, zone = match.groups()
    midnight = _midnight(day, zone)
    hours, minutes, seconds = int(hours), int(minutes), int(seconds)
    if midnight is None or hours > 23 or minutes > 59 or seconds > 59:
        return EPOCH
    moment = midnight + timedelta(0, 3600 * hours + 60 * minutes + seconds)
    return moment if 1970 <= moment.year < 2100 else EPOCH


@lru_cache(maxsize=1000)  # messages come day by day
def _midnight(date: bytes, zone: bytes) -> datetime | None:
    """When a day began in a zone, in UTC; None when there is no such day, or it is nowhere near our time."""
    day, month, year = date.split(b"-")
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5]))
    try:
        local = datetime(int(year), MONTHS[month.upper()], int(day), tzinfo=UTC)
        midnight = local - offset if zone[:1] == b"+" else local + offset
    except (KeyError, ValueError, OverflowError):
        return None
    return midnight if 1969 <= midnight.year < 2100 else None


def flags_of(value: bytes) -> frozenset[str]:
    """The first of a message's flags, as many as are kept."""
    return _few_flags(value) if len(value) <= SHORT else _flags(value)


def octets_of(flags: bytes) -> int:
    """About what these flags take in memory, beside all that have the same."""
    return 250 if len(flags) <= SHORT else 10 * len(flags)


def _flags(value: bytes) -> frozenset[str]:
    return frozenset(flag.decode("ascii", "replace") for flag in value.split(None, MAX_FLAGS)[:MAX_FLAGS])


_few_flags = lru_cache(maxsize=1000)(_flags)


def as_headers(uid: int, attributes: Attributes) -> FetchedHeaders:
    """The values of a header fetch."""
    header = attributes.get(b"BODY[HEADER]") or b""
    if len(header) >= MAX_HEADER:  # cut off, perhaps within an address, which could then be somebody else's
        header = header[: max(header.rfind(b","), header.rfind(b"\n"))]
    return FetchedHeaders(
        uid=uid,
        size=number(attributes.get(b"RFC822.SIZE")),
        internal_date=internal_date(attributes.get(b"INTERNALDATE")),
        flags=flags_of(attributes.get(b"FLAGS") or b""),
        provided=provided(attributes),
        header=header,
    )


def as_body(uid: int, attributes: Attributes, *, max_bytes: int) -> FetchedBody | None:
    """The value of a body fetch, for which one byte more than ``max_bytes`` was asked; None when there is none, as in
    an answer that tells of new flags only, or has NIL instead (RFC 9051 §4.1.3: this is not an empty message)."""
    raw = attributes.get(b"BODY[]")
    if raw is None:
        return None
    return FetchedBody(uid=uid, raw=raw[:max_bytes], truncated=len(raw) > max_bytes)
