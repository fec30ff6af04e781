"""Undoes the transfer encoding of a part while it comes in, piece by piece (RFC 2045 §6)."""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING

from mailaccounts.mail.text import NOT_BASE64

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_LINE = 2**16  # octets of a quoted-printable line that are waited for; longer ones are cut


def decoded(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """What ``pieces`` hold. Never raises: what isn't of the encoding is left out, or as it was."""
    if encoding == "base64":
        return _base64(pieces)
    if encoding == "quoted-printable":
        return _quoted(pieces)
    return iter(pieces)


def _base64(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        digits = rest + piece.translate(None, NOT_BASE64)
        whole = len(digits) // 4 * 4
        rest = digits[whole:]
        yield binascii.a2b_base64(digits[:whole])
    if len(rest) > 1:
        yield binascii.a2b_base64(rest + b"=" * (4 - len(rest)))


def _quoted(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        rest += piece
        whole = rest.rfind(b"\n") + 1
        if not whole and len(rest) > MAX_LINE:
            cut = rest.rfind(b"=", -2)  # not within the three characters that stand for one
            whole = cut if cut >= 0 else len(rest)
        yield binascii.a2b_qp(rest[:whole])
        rest = rest[whole:]
    yield binascii.a2b_qp(rest)
