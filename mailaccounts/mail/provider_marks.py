"""What some servers tell of a message beyond IMAP: a name for it and for its conversation (OBJECTID, RFC 8474; Gmail),
and at Gmail its labels, which are what its owner sees as folders.

https://developers.google.com/workspace/gmail/imap/imap-extensions
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from imapclient.imap_utf7 import decode

from mailaccounts.mail.types import NOTHING, Provided

if TYPE_CHECKING:
    from mailaccounts.mail.abilities import Abilities
    from mailaccounts.mail.imap_responses import Attributes

MAX_ID = 200  # characters; RFC 8474 allows 255, and nobody has more than 36
MAX_LABEL = 255  # characters; Gmail allows 225

NAMES = frozenset((b"X-GM-MSGID", b"X-GM-THRID", b"X-GM-LABELS", b"EMAILID", b"THREADID"))
ID = re.compile(rb"[A-Za-z0-9_-]{1,%d}" % MAX_ID)


def identity_items(can: Abilities) -> str:
    """What to ask for beside the headers, as far as the server has it."""
    if can.gmail:
        return "X-GM-MSGID X-GM-THRID X-GM-LABELS"
    return "EMAILID THREADID" if can.object_id else ""


def provided(attributes: Attributes) -> Provided:
    """What was told of all that."""
    if NAMES.isdisjoint(attributes):
        return NOTHING
    return Provided(
        id=_id(attributes.get(b"X-GM-MSGID") or attributes.get(b"EMAILID")),
        thread=_id(attributes.get(b"X-GM-THRID") or attributes.get(b"THREADID")),
        labels=labels_of(attributes),
    )


def labels_of(attributes: Attributes) -> frozenset[str] | None:
    """The labels, with a backslash before those of Gmail's own; None when none were told."""
    value = attributes.get(b"X-GM-LABELS")
    return None if value is None else _labels(value)


@lru_cache(maxsize=1000)  # most messages have the same few
def _labels(value: bytes) -> frozenset[str]:
    return frozenset(_label(each) for each in value.split(b"\n") if each)


def _label(raw: bytes) -> str:
    try:
        label: str = decode(raw)
    except ValueError:
        label = raw.decode("ascii", "replace")
    return label[:MAX_LABEL]


def _id(value: bytes | None) -> str:
    """The id, or "" for what is none: a server is free to have none, and must not write whatever it likes."""
    return value.decode("ascii") if value is not None and ID.fullmatch(value) else ""
