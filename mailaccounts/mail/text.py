"""From the bytes of a mail to text that can be stored: charsets, encoded words, characters no database takes."""

from __future__ import annotations

import binascii
import codecs
import re
from functools import lru_cache

# Which of Python's codecs are charsets of text. Others (idna, punycode, unicode_escape, rot13, base64 …) either aren't
# or are slow or raise with errors="replace".
_CHARSET = re.compile(
    r"ascii|utf-(7|8|8-sig|16|16-be|16-le|32|32-be|32-le)|iso8859-\d+|cp\d+|koi8-[rtu]|mac-\w+|gb2312|gbk|gb18030|hz"
    r"|big5|big5hkscs|shift_jis\w*|euc_\w+|iso2022_\w+|johab|tis-620|ptcp154|kz1048|hp-roman8"
)

# What mail declares, and the superset it is written in (as the WHATWG encoding standard has it).
_SUPERSETS = {
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "tis-620": "cp874",
}
_ALIASES = {"iso-8859-8-i": "iso8859-8", "iso-8859-6-i": "iso8859-6", "windows-874": "cp874", "sjis": "cp932"}

_WORD = re.compile(r"=\?([^?*\s]+)(?:\*[^?\s]*)?\?([bBqQ])\?([^?]*)\?=")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))


@lru_cache(maxsize=256)
def _codec(charset: str) -> str | None:
    """The codec for a charset as mail names it; None when it is unknown, not one of text, or says nothing."""
    name = charset.strip().strip("'\"").lower()
    name = name.removeprefix("x-").replace("cp-", "cp")
    try:
        found = codecs.lookup(_ALIASES.get(name, name)).name
    except (LookupError, ValueError):
        return None
    if found == "ascii" or not _CHARSET.fullmatch(found):
        return None  # mail that says us-ascii and holds other bytes is mail that didn't think: guess
    return _SUPERSETS.get(found, found)


def decode(data: bytes, charset: str | None = None) -> str:
    """``data`` as text that can be stored; never raises. An unknown charset is guessed: UTF-8, else Windows-1252."""
    codec = _codec(charset[:60]) if charset else None
    if codec is not None:
        return storable(data.decode(codec, errors="replace"))
    if data.isascii():
        return data.decode("ascii").replace("\0", "")
    try:
        return storable(data.decode("utf-8"))
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace").replace("\0", "")


def storable(text: str) -> str:
    """Without NUL, which PostgreSQL refuses, and lone surrogates, which UTF-8 has no bytes for."""
    return _UNSTORABLE.sub(lambda found: "" if found[0] == "\0" else "\N{REPLACEMENT CHARACTER}", text)


def decode_words(text: str) -> str:
    """Replaces the encoded words of RFC 2047; a character split between two words comes out whole."""
    if "=?" not in text:
        return text
    done: list[str] = []
    run: list[bytes] = []
    run_charset = ""
    end = 0
    for word in _WORD.finditer(text):
        charset, encoding, payload = word.groups()
        gap = text[end : word.start()]
        if run and (gap.strip() or charset.lower() != run_charset):
            done.append(decode(b"".join(run), run_charset))
            run = []
        if gap.strip() or end == 0:  # white space between two encoded words is not part of the text (§6.2)
            done.append(gap)
        run.append(_word_bytes(payload, encoding))
        run_charset, end = charset.lower(), word.end()
    if run:
        done.append(decode(b"".join(run), run_charset))
    done.append(text[end:])
    return "".join(done)


def _word_bytes(payload: str, encoding: str) -> bytes:
    data = payload.encode("utf-8", errors="replace")
    return unbase64(data) if encoding in "bB" else binascii.a2b_qp(data, header=True)


def unbase64(data: bytes) -> bytes:
    """Decodes what of ``data`` is base64 and leaves out the rest; never raises."""
    digits = data.translate(None, NOT_BASE64)
    digits = digits[: len(digits) - (len(digits) % 4 == 1)]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def base64_size(data: bytes) -> int:
    """How many bytes ``unbase64`` would give."""
    return len(data.translate(None, NOT_BASE64)) * 3 // 4


def one_line(text: str, limit: int) -> str:
    """``text`` without line breaks and control characters, at most ``limit`` characters."""
    if text.isprintable():
        return " ".join(text[: limit * 4].split())[:limit]
    return " ".join("".join(char if char.isprintable() else " " for char in text[: limit * 4]).split())[:limit]
