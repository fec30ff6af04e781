"""Parts of messages: what a message is made of, and those parts that somebody wants (RFC 9051 §6.4.5)."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailaccounts.errors import MessageGone, UnsafeArgument
from mailaccounts.mail import imap_fetch
from mailaccounts.mail.imap_fetch import Fetch
from mailaccounts.mail.imap_reader import PIECE, ImapReader
from mailaccounts.mail.mime import MAX_ENCODED, read_text
from mailaccounts.mail.parse import AttachmentInfo, as_content, is_invitation
from mailaccounts.mail.structure import MAX_STRUCTURE, UnreadableStructure, read_structure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailaccounts.mail.parse import Content
    from mailaccounts.mail.structure import Leaf
    from mailaccounts.mail.types import FetchedBody

SECTION = re.compile(r"\d{1,4}(\.\d{1,4}){0,30}", re.ASCII)
MAX_BODIES = 20  # parts to read of a message; one with more is no letter


class FetchStructure(Fetch):
    """UID FETCH of BODYSTRUCTURE. The line may be long: a stranger decided of how many parts the message consists."""

    def __init__(self, uids: Sequence[int], *, line_bytes: int) -> None:
        super().__init__(uids, "(UID BODYSTRUCTURE)", most_octets=MAX_STRUCTURE)
        self.line_bytes = line_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedParts:
    """A message of which only what is to be read was fetched: ``bodies`` as they are in it, still encoded.
    ``truncated`` when there is more of them, ``late`` when that is because time ran out."""

    bodies: tuple[tuple[Leaf, bytes], ...] = field(repr=False)
    attachments: tuple[Leaf, ...]
    truncated: bool
    late: bool

    def content(self) -> Content:
        """What they say."""
        said = [
            (leaf.content_type, read_text(encoded, leaf.encoding, charset=leaf.charset))
            for leaf, encoded in self.bodies
        ]
        attachments = [
            AttachmentInfo(
                name=leaf.filename,
                content_type=leaf.content_type,
                size=leaf.size,
                section=leaf.section,
                encoding=leaf.encoding[:40],
                content_id=leaf.content_id,
            )
            for leaf in self.attachments
        ]
        return as_content(said, attachments, truncated=self.truncated)


class ImapParts(ImapReader):
    """Reads parts of the messages of the open folder."""

    def structures(self, uids: Sequence[int]) -> dict[int, tuple[Leaf, ...]]:
        """The parts of each message; those that are gone, or of which the server tells nothing that can be
        understood, are missing."""
        found: dict[int, tuple[Leaf, ...]] = {}
        chunks = self._chunks(uids, imap_fetch.BATCH)
        for sent in self._ask_all(FetchStructure(chunk, line_bytes=self._limits.list_bytes) for chunk in chunks):
            for uid, attributes in self._found(sent).items():
                with suppress(UnreadableStructure):
                    found[uid] = read_structure(attributes.get(b"BODYSTRUCTURE") or b"")
        return found

    def part(self, uid: int, section: str, *, max_bytes: int, until: float) -> FetchedBody | None:
        """A part as it is in the message, still encoded, by its place in the structure, such as ``1.2`` (RFC 9051
        §6.4.5.1); cut off and missing as ``long_body`` has it."""
        if SECTION.fullmatch(section) is None:
            raise UnsafeArgument(what="The section")
        return self.long_body(uid, max_bytes=max_bytes, until=until, section=section)

    def pieces(self, uid: int, section: str) -> Iterator[bytes]:
        """All of a part, still encoded, piece by piece as somebody wants them; MessageGone when it isn't there."""
        if SECTION.fullmatch(section) is None:
            raise UnsafeArgument(what="The section")
        at, more = 0, True
        while more:
            found = self._fetch([uid], f"(UID BODY.PEEK[{section}]<{at}.{PIECE}>)", most_octets=PIECE)
            piece = imap_fetch.as_body(uid, found[uid], max_bytes=PIECE) if uid in found else None
            if piece is None:
                raise MessageGone
            at, more = at + PIECE, len(piece.raw) == PIECE
            yield piece.raw

    def parts(self, uid: int, *, max_bytes: int, until: float) -> FetchedParts | None:
        """What is to be read of a message, at most ``max_bytes`` of it and what comes before the instant ``until``,
        and nothing of what is attached. None when the server doesn't tell its parts or when it is gone: ``long_body``
        knows which."""
        leaves = self.structures([uid]).get(uid, ())
        wanted = [leaf for leaf in leaves if leaf.is_body or is_invitation(leaf.content_type, leaf.octets)]
        if not leaves or len(wanted) > MAX_BODIES:
            return None
        bodies: list[tuple[Leaf, bytes]] = []
        truncated = late = False
        for leaf in wanted:
            most = min(max_bytes, MAX_ENCODED)
            body = self.part(uid, leaf.section, max_bytes=most, until=until)
            if body is None:
                return None
            bodies.append((leaf, body.raw))
            truncated = truncated or body.truncated
            late = body.truncated and len(body.raw) < most
            if late:
                break
            max_bytes -= len(body.raw)
        return FetchedParts(
            bodies=tuple(bodies),
            attachments=tuple(leaf for leaf in leaves if not leaf.is_body),
            truncated=truncated,
            late=late,
        )
