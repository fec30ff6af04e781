"""Reads whole messages for their text. Never raises on what it reads.

Mail is hostile or broken often enough that every step is bounded: depth, parts and decoded bytes in ``mime``. The
standard library's parser isn't used: it has quadratic cases and raises on some charsets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailaccounts.mail import mime
from mailaccounts.mail.sanitize import clean_html, html_to_text

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentInfo:
    """What is attached; ``size`` in bytes as decoded."""

    name: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a message holds. ``html`` is already clean; ``truncated`` when the message was longer than we read."""

    text: str
    html: str
    attachments: tuple[AttachmentInfo, ...]
    truncated: bool = False


def parse_message(raw: bytes, *, truncated: bool = False) -> Content:
    """Reads a whole message: text from its plain text, else from its HTML; HTML cleaned; attachments described."""
    texts: list[str] = []
    pages: list[str] = []
    attachments: list[AttachmentInfo] = []
    for part in mime.leaves(raw):
        if part.is_body:
            (pages if part.content_type == "text/html" else texts).append(part.text())
        else:
            attachments.append(
                AttachmentInfo(name=part.filename, content_type=part.content_type, size=part.decoded_size())
            )
    return as_content(texts, pages, attachments, truncated=truncated)


def as_content(
    texts: Sequence[str], pages: Sequence[str], attachments: Sequence[AttachmentInfo], *, truncated: bool
) -> Content:
    """What the plain texts and the HTML of a message say together."""
    html = "\n".join(pages)[: mime.MAX_TEXT]
    text = "\n".join(texts)[: mime.MAX_TEXT] if any(map(str.strip, texts)) else html_to_text(html)
    return Content(text=text, html=clean_html(html), attachments=tuple(attachments), truncated=truncated)
