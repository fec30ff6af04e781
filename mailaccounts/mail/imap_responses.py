"""Reading what a server says, response by response, straight off the wire (RFC 9051 §7).

A FETCH answer becomes its attributes; of everything else the caller gets the text and the literals that were in it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ANSWER = 2**17  # octets of one answer beside its literals, if it has any
MAX_FLAGS = 100  # of one message that are kept

# All we ask for; BODY[HEADER] and BODY[] stand for any part of a header and of anything else.
KEPT = frozenset((b"UID", b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"BODY[HEADER]", b"BODY[]", b"BODYSTRUCTURE"))
KEPT |= {b"EMAILID", b"THREADID", b"X-GM-MSGID", b"X-GM-THRID", b"X-GM-LABELS"}

# NIL is None; what is in a list comes with spaces between, and labels, which may have spaces, with line breaks.
Attributes = dict[bytes, bytes | None]

FETCH = re.compile(rb"\* \d{1,10} FETCH \(", re.IGNORECASE)
LITERAL = re.compile(rb"\{(\d{1,20})\}\r?\n\Z")
TOKEN = re.compile(
    rb"""
    [Bb][Oo][Dd][Yy]\[ [^\]]*+ \]? (?:<\d+>)?   # BODY[HEADER.FIELDS (FROM TO)]<0>
    | "(?: [^"\\] | \\. )*+ "?                  # never searched for its end twice, so a long line costs no more
    | [()]
    | [^\s()"]+                                 # atoms and numbers; {n} stands for the next literal
    """,
    re.VERBOSE | re.DOTALL,
)

# How Dovecot answers a header fetch, down to the literal: what this matches needs no general parser.
HEADER_ANSWER = re.compile(
    rb"\* \d{1,10} FETCH \(UID (\d{1,10}) FLAGS \(([^()\"{]*)\) INTERNALDATE \"([^\"\\]{26})\" "
    rb"RFC822\.SIZE (\d{1,19}) "
    rb"BODY\[HEADER\.FIELDS \([^()\"]*\)\](?:<0>)? \{(\d{1,8})\}\r\n"
)
FLAGS_ANSWER = re.compile(rb"\* \d{1,10} FETCH \(UID (\d{1,10}) FLAGS \(([^()\"{]*)\)(?: MODSEQ \(\d+\))?\)\r\n")

# The structure of a message is its sender's work: one that can't be read is one of that message and no fault.
STRUCTURE_ANSWER = re.compile(rb"\* \d{1,10} FETCH \(UID (\d{1,10}) BODYSTRUCTURE ", re.IGNORECASE)


class Readable(Protocol):
    """What a response is read from."""

    def readline(self) -> bytes: ...
    def read(self, size: int) -> bytes: ...


class UnreadableAnswer(ValueError):
    """The server's answer follows no grammar."""


def read_response(wire: Readable, line: bytes) -> tuple[bytes, list[bytes]]:
    """The response that begins with ``line``: its text, with ``{n}`` and a line break where a literal was, and the
    literals."""
    if not line.endswith((b"}\r\n", b"}\n")):
        return line, []
    literals: list[bytes] = []
    lines = [line]
    length = len(line)
    while (match := LITERAL.search(line)) is not None:
        literals.append(wire.read(int(match[1])))
        line = wire.readline()
        lines.append(line)
        length += len(line)
        if length > MAX_ANSWER:  # every few octets would become an object: it is only read to its end
            lines, literals = lines[:1], []
    if length > MAX_ANSWER:
        raise UnreadableAnswer
    return b"".join(lines), literals


def read_fetch(wire: Readable, line: bytes) -> Attributes | None:
    """The attributes of a FETCH answer that begins with ``line``, of what we ask for; None when it is no such answer.

    Names are upper case, without ``BODY``'s section and range.
    """
    match = HEADER_ANSWER.match(line)
    if match is not None:
        uid, flags, date, size, octets = match.groups()
        literal = wire.read(int(octets))
        end = wire.readline()
        attributes: Attributes = {
            b"UID": uid,
            b"FLAGS": flags,
            b"INTERNALDATE": date,
            b"RFC822.SIZE": size,
            b"BODY[HEADER]": literal,
        }
        if end == b")\r\n":
            return attributes
        text, literals = read_response(wire, end)
        return read_attributes(line + text, [literal, *literals])
    match = FLAGS_ANSWER.match(line)
    if match is not None:
        return {b"UID": match[1], b"FLAGS": match[2]}
    if FETCH.match(line) is None:
        return None
    try:
        return read_attributes(*read_response(wire, line))
    except UnreadableAnswer:
        match = STRUCTURE_ANSWER.match(line)
        if match is None:
            raise
        return {b"UID": match[1]}


def read_attributes(text: bytes, literals: list[bytes]) -> Attributes:
    """Reads a FETCH answer of any form."""
    if len(text) > MAX_ANSWER:
        raise UnreadableAnswer
    tokens = TOKEN.findall(text, text.index(b"("))
    attributes: Attributes = {}
    position, pending = 1, iter(literals)
    try:
        while tokens[position] != b")":
            name = tokens[position].upper()
            if name.startswith(b"BODY["):
                name = b"BODY[HEADER]" if name.startswith(b"BODY[HEADER") else b"BODY[]"
            value, position = _value(tokens, position + 1, pending, name=name)
            if name in KEPT:
                attributes.setdefault(name, value)
    except (IndexError, StopIteration):
        raise UnreadableAnswer from None
    return attributes


def _value(tokens: list[bytes], position: int, literals: Iterator[bytes], *, name: bytes) -> tuple[bytes | None, int]:
    """The value at ``position`` and the position after it; of a list the first MAX_FLAGS items, or a structure."""
    if tokens[position] != b"(":
        return _string(tokens[position], literals), position + 1
    if name == b"BODYSTRUCTURE":
        return _structure(tokens, position, literals)
    items: list[bytes] = []
    depth = 1
    while depth:
        position += 1
        if tokens[position] in {b"(", b")"}:
            depth += 1 if tokens[position] == b"(" else -1
        else:
            item = _string(tokens[position], literals) or b""
            if len(items) < MAX_FLAGS:
                items.append(item)
    return (b"\n" if name == b"X-GM-LABELS" else b" ").join(items), position + 1


def _structure(tokens: list[bytes], position: int, literals: Iterator[bytes]) -> tuple[bytes, int]:
    """A nested list as it was written, but with quoted strings in the place of literals."""
    start, depth = position, 0
    written: list[bytes] = []
    while depth or position == start:
        token = tokens[position]
        depth += (token == b"(") - (token == b")")
        if token[:1] == b"{":
            token = b'"' + re.sub(rb'(["\\])', rb"\\\1", next(literals)) + b'"'
        written.append(token)
        position += 1
    return b" ".join(written), position


def _string(token: bytes, literals: Iterator[bytes]) -> bytes | None:
    """What a token stands for: the octets of a literal or quoted string, the atom itself, None for NIL."""
    if token[:1] == b"{":
        return next(literals)
    if token[:1] == b'"':
        return re.sub(rb"\\(.)", rb"\1", token[1:-1]) if b"\\" in token else token[1:-1]
    return None if token.upper() == b"NIL" else token


def number(value: bytes | None) -> int:
    """The number a server sent; 0 for anything else, or what no column holds."""
    found = int(value) if value is not None and value.isdigit() and len(value) < 20 else 0
    return found if found < 2**63 else 0
