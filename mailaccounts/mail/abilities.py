"""What a server can do beyond plain IMAP, as far as it matters to us; after the login servers tell more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

# What IMAP4rev2 contains (RFC 9051 appendix E), for servers that speak nothing older and may list nothing else.
IN_REV2 = frozenset({"ESEARCH", "IDLE", "LIST-EXTENDED", "LIST-STATUS", "LITERAL-", "MOVE", "SPECIAL-USE", "UIDPLUS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """``qresync`` is true once it is enabled, and ``condstore`` with it; ``message_limit`` is how many messages one
    command may touch (RFC 9738), None when that is not limited."""

    condstore: bool = False  # RFC 7162
    qresync: bool = False  # RFC 7162
    esearch: bool = False  # RFC 4731
    list_status: bool = False  # RFC 5819
    special_use: bool = False  # RFC 6154
    move: bool = False  # RFC 6851
    idle: bool = False  # RFC 2177
    uidplus: bool = False  # RFC 4315
    object_id: bool = False  # RFC 8474
    short_literals: bool = False  # RFC 7888: up to 4096 octets without asking first
    gmail: bool = False  # X-GM-EXT-1
    message_limit: int | None = None

    @classmethod
    def read(cls, capabilities: Collection[str], *, enabled: Collection[str] = ()) -> Abilities:
        """From the capabilities a server announced and the extensions it ``enabled``, both in upper case."""
        offered = set(capabilities)
        if "IMAP4REV2" in offered and "IMAP4REV1" not in offered:
            offered |= IN_REV2
        qresync = "QRESYNC" in enabled
        return cls(
            condstore=qresync or not offered.isdisjoint({"CONDSTORE", "QRESYNC"}),
            qresync=qresync,
            esearch="ESEARCH" in offered,
            list_status="LIST-STATUS" in offered,
            special_use={"SPECIAL-USE", "LIST-EXTENDED"} <= offered,
            move="MOVE" in offered,
            idle="IDLE" in offered,
            uidplus="UIDPLUS" in offered,
            object_id="OBJECTID" in offered,
            short_literals=not offered.isdisjoint({"LITERAL+", "LITERAL-"}),
            gmail="X-GM-EXT-1" in offered,
            message_limit=_message_limit(offered),
        )


def _message_limit(capabilities: Collection[str]) -> int | None:
    told = (name.removeprefix("MESSAGELIMIT=") for name in capabilities if name.startswith("MESSAGELIMIT="))
    limits = [int(text) for text in told if text.isascii() and text.isdigit() and len(text) <= 10]
    return max(1, min(limits)) if limits else None
