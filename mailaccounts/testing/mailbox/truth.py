"""What a generated message is, beside its bytes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """``role`` is the header's name in lower case: from, sender, reply-to, to, cc."""

    role: str
    name: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentTruth:
    """``size`` is that of the decoded content, in bytes."""

    name: str
    content_type: str
    size: int
    inline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What a careful reader finds. Everything holds for malformed messages too, but for what ``unsure`` lists.

    ``message_id`` is without angle brackets, "" when the message has none. ``known``: a contact takes part.
    ``matched``: one takes part in it or in its thread. ``copy``: the same message lies in another folder too.
    ``malformed`` names what is wrong with it, "" when it is as it should be.
    """

    message_id: str
    thread: int
    subject: str
    addresses: tuple[Address, ...]
    known: bool
    matched: bool
    charset: str
    text: str = ""
    html: str = ""
    attachments: tuple[AttachmentTruth, ...] = ()
    malformed: str = ""
    unsure: tuple[str, ...] = ()
    copy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedMessage:
    """``date`` is when it arrived, aware."""

    raw: bytes = field(repr=False)
    date: datetime
    folder: str
    seen: bool
    truth: Truth

    def manifest(self) -> dict[str, Any]:
        """All but the bytes, as JSON has it."""
        return {"folder": self.folder, "date": self.date.isoformat(), "size": len(self.raw), **asdict(self.truth)}
