"""Takes MIME messages apart (RFC 2045, 2046) without copying them, in time bounded by size times depth."""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailaccounts.mail.fields import Fields, header_ends
from mailaccounts.mail.parameters import Parameters
from mailaccounts.mail.text import base64_size, decode, decode_words, one_line, unbase64

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 20
MAX_PARTS = 500
MAX_TEXT = 2**20  # characters of body text kept, of each kind
MAX_ENCODED = 8 * MAX_TEXT  # octets of a part that are decoded for them

_CONTENT = Fields(("content-type", "content-disposition", "content-transfer-encoding", "content-id"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A leaf of the tree: ``raw`` between ``start`` and ``end``, still in its transfer encoding. ``section`` is what
    an IMAP server calls it (RFC 9051 §6.4.5.1)."""

    content_type: str
    charset: str
    encoding: str
    disposition: str
    filename: str
    section: str
    content_id: str
    is_body: bool  # text to read, rather than an attachment
    raw: bytes = field(repr=False)
    start: int
    end: int

    def text(self) -> str:
        """The decoded text, at most MAX_TEXT characters."""
        return read_text(
            self.raw[self.start : min(self.end, self.start + MAX_ENCODED)], self.encoding, charset=self.charset
        )

    def decoded_size(self) -> int:
        """Bytes after decoding."""
        if self.encoding == "base64":
            return base64_size(self.raw[self.start : self.end])
        if self.encoding == "quoted-printable":
            return len(binascii.a2b_qp(self.raw[self.start : self.end]))
        return self.end - self.start


def leaves(raw: bytes) -> Iterator[Part]:
    """The parts that aren't multiparts, in order, at most MAX_PARTS; message/rfc822 is a leaf."""
    for count, part in enumerate(_walk(raw, 0, len(raw), depth=0)):
        if count == MAX_PARTS:
            return
        yield part


def _walk(raw: bytes, start: int, end: int, *, depth: int, section: str = "") -> Iterator[Part]:
    header_end, body = header_ends(raw, start, end)
    head = {name: values[0] for name, values in _CONTENT.read(raw, start, header_end).items()}
    content = Parameters(head.get("content-type", ""))
    content_type = content.value if content.value.count("/") == 1 else "text/plain"
    if content_type.startswith("multipart/") and depth < MAX_DEPTH:
        spans = _split(raw, body, end, content.get("boundary"))
        for number, (part_start, part_end) in enumerate(spans, start=1):
            inner = f"{section}.{number}" if section else str(number)
            yield from _walk(raw, part_start, part_end, depth=depth + 1, section=inner)
        if spans:
            return
        content_type = "text/plain"  # no such boundary anywhere: whatever it is, it can be read
    disposition = Parameters(head.get("content-disposition", ""))
    filename = disposition.get("filename") or content.get("name")
    yield Part(
        content_type=content_type[:127],
        charset=content.get("charset"),
        encoding=one_line(head.get("content-transfer-encoding", ""), 40).lower(),
        disposition=disposition.value,
        filename=safe_name(filename),
        section=section or "1",
        content_id=bare_id(head.get("content-id", "")),
        is_body=is_body(content_type, filename=filename, disposition=disposition.value, top=depth == 0),
        raw=raw,
        start=body,
        end=end,
    )


def is_body(content_type: str, *, filename: str, disposition: str, top: bool) -> bool:
    """Whether a part is text to read. The ``top`` of a message is, whatever it says of itself."""
    return content_type in ("text/plain", "text/html") and (top or not (filename or disposition == "attachment"))


def _split(raw: bytes, start: int, end: int, boundary: str) -> list[tuple[int, int]]:
    """Where the parts of a multipart lie (RFC 2046 §5.1.1); a missing last delimiter is forgiven."""
    if not boundary:
        return []
    mark = b"--" + boundary.encode("utf-8", errors="replace")
    spans: list[tuple[int, int]] = []
    part_start = -1
    at = start
    while len(spans) < MAX_PARTS and (at := raw.find(mark, at, end)) >= 0:
        if at > start and raw[at - 1] != 0x0A:  # not at the beginning of a line
            at += len(mark)
            continue
        line_end = raw.find(b"\n", at, end)
        line_end = end if line_end < 0 else line_end
        tail = raw[at + len(mark) : min(line_end, at + len(mark) + 80)].strip()
        if tail in (b"", b"--"):
            if part_start >= 0:
                spans.append((part_start, max(part_start, _before_newline(raw, at))))
            part_start = -1 if tail else min(line_end + 1, end)
            if tail:
                break
        at += len(mark)
    if part_start >= 0:
        spans.append((part_start, end))
    return spans


def _before_newline(raw: bytes, at: int) -> int:
    """The line break before a delimiter belongs to the delimiter."""
    return at - 2 if raw[at - 2 : at] == b"\r\n" else at - 1


def read_text(encoded: bytes, encoding: str, *, charset: str) -> str:
    """What a part says, at most MAX_TEXT characters."""
    return decode(_decoded(encoded, encoding), charset)[:MAX_TEXT].replace("\r\n", "\n")


def _decoded(data: bytes, encoding: str) -> bytes:
    if encoding == "base64":
        return unbase64(data)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(data)
    return data


def bare_id(content_id: str) -> str:
    """A Content-ID without its angle brackets, on one line (RFC 2392)."""
    return one_line(content_id, 257).strip("<> ")[:255]


def safe_name(filename: str) -> str:
    """A file name without a path, on one line."""
    if not filename:
        return ""
    return one_line(re.split(r"[/\\]", decode_words(filename))[-1], 255)
