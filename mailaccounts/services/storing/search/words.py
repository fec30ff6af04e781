"""What somebody looks for, as words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST = 10  # words; more would keep the database busy
LONGEST = 100  # characters of one
BEGINNING = 3  # characters that are enough for the beginning of a word
BEGIN, END = "\x02", "\x03"  # around what was found; neither is ever part of a word

Words = tuple[str, ...]

TERM = re.compile(r'"([^"]*)"|([^\s"]+)')


def people(parties: Iterable[tuple[str, str]]) -> str:
    """Who takes part in a message, by name and address, as it is searched: each once, a line each."""
    return "\n".join(dict.fromkeys(f"{name} {address}".strip() for name, address in parties))


def read(text: str) -> Words:
    """The words of a search, each phrase in quotation marks as one; without what has no letter or digit in it."""
    terms = (quoted or plain for quoted, plain in TERM.findall(re.sub(r"[\x00-\x1f]", " ", text)))
    return tuple(term.strip()[:LONGEST] for term in terms if any(map(str.isalnum, term[:LONGEST])))[:MOST]


def is_beginning(word: str) -> bool:
    """Whether words that begin with ``word`` count as well."""
    return len(word) >= BEGINNING and " " not in word
