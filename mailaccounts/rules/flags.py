"""A message's flags, as they are kept (RFC 9051 §2.3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST = 100  # of one message
LONGEST = 100  # characters of one; longer ones say nothing to anybody
SEEN = "\\seen"
FLAGGED = "\\flagged"
RECENT = "\\recent"  # of the session that saw the message first, and not of the message


def text(flags: Iterable[str]) -> str:
    """The flags in one text, sorted, with a space between them; the same ones always give the same text."""
    kept = (flag for flag in flags if flag and len(flag) <= LONGEST and flag.isprintable() and " " not in flag)
    return " ".join(sorted({flag for flag in kept if flag.lower() != RECENT})[:MOST])


def is_seen(flags: Iterable[str]) -> bool:
    return any(flag.lower() == SEEN for flag in flags)


def is_flagged(text: str) -> bool:
    """Whether a message whose flags are ``text`` is marked as important."""
    return FLAGGED in text.lower().split(" ")
