"""Reads whole messages for their text. Never raises on what it reads.

Mail is hostile or broken often enough that every step is bounded: depth, parts and decoded bytes in ``mime``. The
standard library's parser isn't used: it has quadratic cases and raises on some charsets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mailaccounts.mail import mime
from mailaccounts.mail.pictures import id_of, pictures_in
from mailaccounts.mail.sanitize import clean_html, html_to_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CALENDAR = "text/calendar"
MAX_CALENDAR = 2**16  # characters of an invitation


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentInfo:
    """What is attached; ``size`` in bytes as decoded. ``section`` is its name in FETCH (RFC 9051 §6.4.5.1),
    ``inline`` tells a picture that the text shows."""

    name: str
    content_type: str
    size: int
    section: str = ""
    encoding: str = ""
    content_id: str = ""
    inline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a message holds. ``html`` is already clean, ``calendar`` an invitation as it was sent; ``truncated`` when
    the message was longer than we read."""

    text: str
    html: str
    attachments: tuple[AttachmentInfo, ...]
    calendar: str = ""
    truncated: bool = False


def parse_message(raw: bytes, *, truncated: bool = False) -> Content:
    """Reads a whole message: text from its plain text, else from its HTML; HTML cleaned; attachments described. An
    invitation counts among these, and is read as well."""
    said: list[tuple[str, str]] = []
    attachments: list[AttachmentInfo] = []
    for part in mime.leaves(raw):
        if part.is_body or is_invitation(part.content_type, part.end - part.start):
            said.append((part.content_type, part.text()))
        if not part.is_body:
            attachments.append(
                AttachmentInfo(
                    name=part.filename,
                    content_type=part.content_type,
                    size=part.decoded_size(),
                    section=part.section,
                    encoding=part.encoding,
                    content_id=part.content_id,
                )
            )
    return as_content(said, attachments, truncated=truncated)


def is_invitation(content_type: str, octets: int) -> bool:
    """Whether an attached part is read for the meeting in it; whole calendars aren't."""
    return content_type == CALENDAR and octets <= 2 * MAX_CALENDAR


def as_content(said: Sequence[tuple[str, str]], attachments: Sequence[AttachmentInfo], *, truncated: bool) -> Content:
    """What the plain texts and the HTML of a message say together; ``said`` has the type of each, and its text."""
    texts = [text for kind, text in said if kind not in ("text/html", CALENDAR)]
    html = "\n".join(text for kind, text in said if kind == "text/html")[: mime.MAX_TEXT]
    text = "\n".join(texts)[: mime.MAX_TEXT] if any(map(str.strip, texts)) else html_to_text(html)
    clean = clean_html(html)
    return Content(
        text=text,
        html=clean,
        attachments=tuple(_with_places(attachments, clean)),
        calendar=next((text for kind, text in said if kind == CALENDAR), "")[:MAX_CALENDAR],
        truncated=truncated,
    )


def _with_places(attachments: Sequence[AttachmentInfo], html: str) -> Iterator[AttachmentInfo]:
    """The attachments, those ``inline`` that the HTML shows by their Content-ID."""
    named = any(each.content_id for each in attachments)
    shown = {id_of(address) for address in pictures_in(html)} if named else set()
    for each in attachments:
        yield replace(each, inline=True) if each.content_id and each.content_id in shown else each
