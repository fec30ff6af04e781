"""Pictures that a browser may show within a page: known by their first bytes, whatever somebody calls them."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import unquote

from mailaccounts.mail.markup import Tag, attributes, tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

BEGINNING = 12  # bytes that tell what a picture is
MAX_PICTURES = 200  # of one message that are shown

_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)

_WEBP = "image/webp"
PICTURE_TYPES = frozenset((*(kind for _, kind in _BEGINNINGS), _WEBP))


def picture_type(content: bytes) -> str:
    """The media type of PNG, JPEG, GIF and WebP; "" for all else, SVG among it, which may hold scripts."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return _WEBP
    return next((kind for beginning, kind in _BEGINNINGS if content.startswith(beginning)), "")


def pictures_in(html: str) -> list[str]:
    """The addresses of the pictures in clean HTML, in order, at most MAX_PICTURES."""
    found = (attributes(token) for token in tokens(html) if isinstance(token, Tag) and token.name == "img")
    return [each.get("data-src", "") for each in found][:MAX_PICTURES]


def id_of(address: str) -> str:
    """The Content-ID that a ``cid:`` address names (RFC 2392), "" for other addresses."""
    return unquote(address[4:]) if address[:4].lower() == "cid:" else ""


def show_pictures(html: str, sources: Sequence[str]) -> str:
    """Clean ``html`` whose pictures load from ``sources``, one for each in order, "" for none."""
    written: list[str] = []
    left = iter(sources)
    for token in tokens(html):
        if isinstance(token, str):
            written.append(token)
        elif token.name != "img":
            written.append(f"<{'/' if token.ends else ''}{token.name}{token.attributes}>")
        elif source := next(left, ""):
            written.append(f'<img src="{escape(source)}"{token.attributes}>')
        else:
            written.append(f"<img{token.attributes}>")
    return "".join(written)
