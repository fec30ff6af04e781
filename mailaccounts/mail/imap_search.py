"""SEARCH, answered in either of its forms: a list, or ranges from servers with ESEARCH (RFC 9051 §7.3.4)."""

from __future__ import annotations

import re
from itertools import islice, pairwise
from typing import TYPE_CHECKING

import idna

from mailaccounts.mail.headers import ADDRESS_FIELDS
from mailaccounts.mail.imap_connection import quote
from mailaccounts.mail.imap_pipeline import Command, OverBudget
from mailaccounts.mail.imap_responses import UnreadableAnswer
from mailaccounts.mail.uids import MAX_UID, each_range

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from mailaccounts.mail.abilities import Abilities

MOST_UIDS = 2**20  # that one search may find
NUMBER_OCTETS = 32
KEYS = {"from": b"FROM", "to": b"TO", "cc": b"CC", "bcc": b"BCC"}  # others are asked for as any header is
ROLES = tuple(KEYS.get(name) or b"HEADER " + name.upper().encode() for name in ADDRESS_FIELDS)
TIES = (b"MESSAGE-ID", b"REFERENCES", b"IN-REPLY-TO")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

LIST = re.compile(rb"SEARCH\b", re.IGNORECASE)
RANGES = re.compile(
    rb"ESEARCH\b(?: \(TAG \"(?P<tag>[^\"]*)\"\))?(?P<uid> UID\b)?(?P<rest>.*)", re.IGNORECASE | re.DOTALL
)
ALL = re.compile(rb" ALL ([^ \r\n]+)", re.IGNORECASE)
ATOM = re.compile(r"[A-Za-z0-9_-]{1,255}")
CUT_SHORT = re.compile(rb"\[MESSAGELIMIT \d{1,10} (\d{1,10})\]", re.IGNORECASE)


class Search(Command):
    """UID SEARCH; ``numbers`` are the UIDs found, in no order and maybe more than once.

    ``cut_at`` is the lowest UID the server looked at if it looked at the highest only (RFC 9738), else None.
    """

    def __init__(self, *criteria: str | bytes, ranges: bool, line_bytes: int) -> None:
        super().__init__("UID SEARCH", *(["RETURN (ALL)"] if ranges else []), *criteria)
        self.line_bytes = line_bytes
        self.numbers: list[int] = []
        self._cut_at: int | None = None

    @property
    def cut_at(self) -> int | None:
        told = CUT_SHORT.match(self.status.text.encode()) if self.status else None
        return int(told[1]) if told else self._cut_at

    def take(self, text: bytes, literals: list[bytes]) -> bool:
        if LIST.match(text):
            room = MOST_UIDS - len(self.numbers)
            found = (int(digits[0]) for digits in re.finditer(rb"\b\d{1,10}\b", text))
            self.numbers += islice((uid for uid in found if 0 < uid <= MAX_UID), room + 1)
        elif (told := RANGES.match(text)) and told["tag"] in {None, self.tag}:
            self._take_ranges(told)
        elif text[:3].upper() == b"NO " and (cut := CUT_SHORT.match(text, 3)):
            self._cut_at = int(cut[1])
        else:
            return False
        if len(self.numbers) > MOST_UIDS:
            raise OverBudget
        self.kept = NUMBER_OCTETS * len(self.numbers)
        return True

    def _take_ranges(self, told: re.Match[bytes]) -> None:
        if told["uid"] is None:  # sequence numbers, which nobody asked for
            raise UnreadableAnswer
        found = ALL.search(told["rest"])
        for first, last in each_range(found[1]) if found else ():
            if len(self.numbers) + last - first >= MOST_UIDS:
                raise OverBudget
            self.numbers += range(first, last + 1)


def ascending(numbers: list[int]) -> list[int]:
    """``numbers`` in order, each once."""
    numbers.sort()
    return numbers[:1] + [later for earlier, later in pairwise(numbers) if later != earlier]


def criteria(
    *, above: int, below: int | None, since: date | None, before: date | None, any_of: Sequence[bytes] = ()
) -> list[str | bytes]:
    """UIDs between two others, which don't belong to them, by the day of arrival, and by what holds of any of those
    wanted, if that matters (RFC 9051 §6.4.4)."""
    words: list[str | bytes] = ["UID", f"{above + 1}:{'*' if below is None else below - 1}"]
    for word, day in (("SINCE", since), ("BEFORE", before)):
        if day is not None:
            words += [word, f"{day.day:02}-{MONTHS[day.month - 1]}-{day.year:04}"]
    if not all(each.isascii() for each in any_of):
        words = ["CHARSET", "UTF-8", *words]
    return [*words, *([b"OR"] * (len(any_of) - 1)), *any_of]  # OR OR a b c: any of the three


def with_person(pattern: str) -> list[bytes]:
    """Criteria for mail with an address, or anybody ``@domain``, in each field that people are read from: the local
    part and the domain each for itself, for there may be a tag between them. Without a local part that can't be asked
    for, so that more may be found than was wanted; none for a domain that can't. A domain that is Unicode's in
    ASCII is asked for in both (RFC 6532), though not every server takes such criteria."""
    local, _, domain = pattern.rpartition("@")
    if not _can_be_asked(domain):
        return []
    spellings = [_text(domain), *_in_unicode(domain)]
    rest = [_text(local)] if _can_be_asked(local) else []
    return [
        b"(%s)" % b" ".join(b"%s %s" % (role, part) for part in (spelling, *rest))
        for spelling in spellings
        for role in ROLES
    ]


def of_conversation(key: str) -> list[bytes]:
    """Criteria for a message with this Message-ID, given without angle brackets, and those that refer to it; none for
    one that can't be asked for."""
    return [b"HEADER %s %s" % (name, _text(key)) for name in TIES] if _can_be_asked(key) else []


def of_provider_thread(name: str, can: Abilities) -> list[bytes]:
    """The criterion for messages of the conversation that the provider calls so: Gmail, or who has RFC 8474; none
    elsewhere."""
    word = b"X-GM-THRID" if can.gmail else b"THREADID" if can.object_id else b""
    return [b"%s %s" % (word, name.encode("ascii"))] if word and ATOM.fullmatch(name) else []


def _can_be_asked(text: str) -> bool:
    """Servers take other characters than ASCII's as literals only, and no Message-ID or address has a space."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _in_unicode(domain: str) -> list[bytes]:
    """A domain as people write it, in a literal that waits for nothing (RFC 7888); none for one of ASCII alone."""
    try:
        written = idna.decode(domain).encode() if "xn--" in domain else b""
    except (idna.IDNAError, UnicodeError):
        return []
    return [b"{%d+}\r\n%s" % (len(written), written)] if written and not written.isascii() else []


def _text(words: str) -> bytes:
    return quote(words.encode("ascii"), what="What is searched for")
