"""Header fields (RFC 5322 §2.2): those that are asked for, in time linear in the size of the header."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from mailaccounts.mail.text import decode

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_HEADER_BYTES = 2**18  # of one header block
MAX_FIELDS = 1000


def header_ends(raw: bytes, start: int, end: int) -> tuple[int, int]:
    """Where the header that begins at ``start`` ends and where its body begins: around the first blank line."""
    if raw.startswith((b"\n", b"\r\n"), start, end):
        return start, start + (1 if raw[start] == 0x0A else 2)  # no header at all
    blank = raw.find(b"\n\r\n", start, end)
    # Never beyond the one that was found: where the other kind is used, this would look through all that follows.
    bare = raw.find(b"\n\n", start, end if blank < 0 else blank + 1)
    if bare >= 0:
        return bare, bare + 2
    return (blank, blank + 3) if blank >= 0 else (end, end)


class Fields:
    """Reads the fields named ``names`` (lower case) of a header."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {name.encode(): name for name in names}
        named = b"|".join(map(re.escape, self._names))
        self._field = re.compile(rb"^(%s)[ \t]*+:(.*+(?:\n[ \t].*+)*+)" % named, re.MULTILINE | re.IGNORECASE)

    def read(self, raw: bytes, start: int, end: int) -> dict[str, list[str]]:
        """{lower-case name: unfolded values} of the header between ``start``, where a line begins, and ``end``;
        encoded words stay. At most MAX_HEADER_BYTES and MAX_FIELDS are read."""
        found: dict[str, list[str]] = {}
        block = self._field.finditer(raw, start, min(end, start + MAX_HEADER_BYTES))
        for field in islice(block, MAX_FIELDS):
            name, value = field.groups()
            if b"\n" in value:
                value = value.replace(b"\r\n", b" ").replace(b"\n", b" ")
            found.setdefault(self._names[name.lower()], []).append(decode(value).strip())
        return found
