"""Writes mail by hand: quicker than the email package, and able to write what it refuses to."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from random import Random

CRLF = b"\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A MIME entity: header lines without line ends, and the encoded body."""

    headers: tuple[str, ...]
    body: bytes

    def render(self) -> bytes:
        return CRLF.join(line.encode("ascii") for line in self.headers) + CRLF * 2 + self.body


def encode_words(text: str, charset: str, rng: Random) -> str:
    """``text`` for a header: as it is when it is ASCII, else as encoded words (RFC 2047 §2), folded between them."""
    if text.isascii():
        return text
    quoted = charset.startswith(("iso-8859", "windows-125")) and rng.random() < 0.7
    return "\r\n ".join(_encoded_word(piece, charset, quoted=quoted) for piece in _pieces(text, 12))


def _pieces(text: str, size: int) -> Iterable[str]:
    return (text[start : start + size] for start in range(0, len(text), size))


def _encoded_word(text: str, charset: str, *, quoted: bool) -> str:
    raw = text.encode(charset)
    if not quoted:
        return f"=?{charset}?B?{base64.b64encode(raw).decode()}?="
    plain = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    return f"=?{charset}?Q?{''.join(chr(b) if b in plain else '_' if b == 32 else f'={b:02X}' for b in raw)}?="


def mailbox(name: str, address: str, charset: str, rng: Random) -> str:
    """``Name <address>``, quoted or encoded as the name needs (RFC 5322 §3.4)."""
    if not name:
        return address
    if not name.isascii():
        return f"{encode_words(name, charset, rng)} <{address}>"
    return f'"{name}" <{address}>' if "," in name or "@" in name or rng.random() < 0.2 else f"{name} <{address}>"


def text_part(text: str, charset: str, rng: Random, *, subtype: str = "plain") -> Part:
    """A text part in ``charset``, under the transfer encoding such mail comes with."""
    raw = text.replace("\n", "\r\n").encode(charset) + CRLF
    if charset in {"us-ascii", "iso-2022-jp"} and max(map(len, raw.split(CRLF))) < 900:
        transfer, body = "7bit", raw
    elif rng.random() < 0.3:
        transfer, body = "base64", _base64(raw)
    elif max(map(len, raw.split(CRLF))) < 900 and rng.random() < 0.3:
        transfer, body = "8bit", raw
    else:
        transfer, body = "quoted-printable", _quoted_printable(raw)
    return Part(
        headers=(f"Content-Type: text/{subtype}; charset={charset}", f"Content-Transfer-Encoding: {transfer}"),
        body=body,
    )


def file_part(name: str, content_type: str, payload: bytes, rng: Random, *, content_id: str = "") -> Part:
    """An attachment, or with ``content_id`` an image the HTML beside it shows."""
    if content_id:
        return Part(
            headers=(
                f"Content-Type: {content_type}; name={name}",
                "Content-Transfer-Encoding: base64",
                f"Content-ID: <{content_id}>",
                f"Content-Disposition: inline; filename={name}",
            ),
            body=_base64(payload),
        )
    if name.isascii():
        parameter = f'filename="{name}"'
    elif rng.random() < 0.5:  # RFC 2231
        parameter = "filename*=utf-8''" + "".join(
            chr(b) if (chr(b).isalnum() and b < 128) or b in b".-_" else f"%{b:02X}" for b in name.encode()
        )
    else:  # not allowed, and what Outlook sends
        parameter = f'filename="{_encoded_word(name, "utf-8", quoted=False)}"'
    return Part(
        headers=(
            f"Content-Type: {content_type}",
            "Content-Transfer-Encoding: base64",
            f"Content-Disposition: attachment;\r\n {parameter}",
        ),
        body=_base64(payload),
    )


def multipart(subtype: str, parts: Sequence[Part], boundary: str) -> Part:
    lines = []
    for part in parts:
        lines += [b"--" + boundary.encode(), part.render()]
    lines += [b"--" + boundary.encode() + b"--", b""]
    return Part(headers=(f'Content-Type: multipart/{subtype}; boundary="{boundary}"',), body=CRLF.join(lines))


def _base64(raw: bytes) -> bytes:
    return base64.encodebytes(raw).replace(b"\n", CRLF)


def _quoted_printable(raw: bytes) -> bytes:
    return binascii.b2a_qp(raw, istext=True)
