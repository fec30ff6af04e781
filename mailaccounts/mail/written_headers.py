"""Headers of messages that go out, written by ourselves where the standard library errs.

It takes a long Message-ID for text that has to be encoded, so that no client finds the conversation any more; it loses
recipients between names that have to be; and the time it takes grows with the square of their number.
"""

from __future__ import annotations

import re
from base64 import b64encode
from email import policy
from email.headerregistry import HeaderRegistry, UnstructuredHeader
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

LINE = 68  # characters of a text that still go on the line of its header as they are
WORD_OCTETS = 45  # that one encoded word holds: it may have 75 characters (RFC 2047 §2)

ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+( [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
BREAKS = re.compile(r"(?<=,) |(?<=\?=) (?==\?)|(?<=>) (?=<)")  # between mailboxes, encoded words, Message-IDs


class AsWritten(UnstructuredHeader):
    """A header whose value is in wire form already: it is folded where that is harmless, and else left alone."""

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        kwds["decoded"], kwds["parse_tree"] = value, None

    def fold(self, *, policy: Any) -> str:
        name: str = self.name  # type: ignore[attr-defined]  # BaseHeader's, which is mixed in when it is made
        return f"{name}: {BREAKS.sub(f'{policy.linesep} ', str(self))}{policy.linesep}"


_HEADERS = HeaderRegistry()
for _name in ("from", "to", "cc", "subject", "message-id", "in-reply-to", "references"):
    _HEADERS.map_to_type(_name, AsWritten)  # type: ignore[arg-type]  # it becomes a BaseHeader when it is made

POLICY = policy.SMTP.clone(cte_type="7bit", header_factory=_HEADERS)


def text(value: str) -> str:
    """Unstructured text, such as a subject."""
    return value if len(value) <= LINE and _is_plain(value) and value == value.strip() else _words(value)


def mailbox(name: str, address: str) -> str:
    """A mailbox (RFC 5322 §3.4); ``address`` is ASCII already."""
    if not name:
        return address
    if not _is_plain(name):
        return f"{_words(name)} <{address}>"
    escaped = re.sub(r'(["\\])', r"\\\1", name)
    return f"{name} <{address}>" if ATOMS.fullmatch(name) else f'"{escaped}" <{address}>'


def message_ids(ids: Iterable[str]) -> str:
    return " ".join(f"<{each}>" for each in ids)


def _is_plain(value: str) -> bool:
    """Whether nobody takes it for encoded."""
    return value.isascii() and "=?" not in value


def _words(value: str) -> str:
    """Encoded words (RFC 2047); none of them begins within a character."""
    words, word = [], b""
    for character in value:
        octets = character.encode()
        if len(word) + len(octets) > WORD_OCTETS:
            words.append(word)
            word = b""
        word += octets
    return " ".join(f"=?utf-8?b?{b64encode(each).decode()}?=" for each in (*words, word))
