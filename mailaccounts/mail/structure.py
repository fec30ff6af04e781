"""Reads BODYSTRUCTURE (RFC 9051 §7.5.2): what a message is made of, without the message.

A server reports here what a stranger wrote, and may do so badly: whatever can't be understood raises
UnreadableStructure, in time linear in the length of the answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailaccounts.mail.mime import MAX_DEPTH, MAX_PARTS, bare_id, is_body, safe_name
from mailaccounts.mail.parameters import Parameters
from mailaccounts.mail.text import decode, storable

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_STRUCTURE = 2**17  # octets

_TOKEN = re.compile(rb'[()]|"(?:[^"\\]|\\.)*+"|[^\s()"]++', re.DOTALL)
_BASE64_LINE = 76 + 2  # characters of a line and its end, which hold 57 octets

Tree = bytes | None | list["Tree"]


class UnreadableStructure(ValueError):
    """It follows no grammar, or is larger or deeper than what is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A part that is no multipart. ``section`` is its name in FETCH (RFC 9051 §6.4.5.1), ``octets`` its size in its
    transfer encoding, ``size`` about that of what it holds, exactly if it isn't encoded."""

    section: str
    content_type: str
    charset: str
    encoding: str
    filename: str
    content_id: str
    is_body: bool
    octets: int

    @property
    def size(self) -> int:
        if self.encoding != "base64":
            return self.octets
        return (self.octets - 2 * (self.octets // _BASE64_LINE)) * 3 // 4


def read_structure(text: bytes) -> tuple[Leaf, ...]:
    """The leaves of a message, in order, at most MAX_PARTS; message/rfc822 is a leaf."""
    try:
        return tuple(_leaves(_tree(text), section=""))
    except (IndexError, AttributeError, TypeError, ValueError):
        raise UnreadableStructure from None


def _tree(text: bytes) -> Tree:
    """The parenthesised list as nested lists; NIL is None."""
    if len(text) > MAX_STRUCTURE:
        raise UnreadableStructure
    outer: list[Tree] = []
    still_open = [outer]
    for token in _TOKEN.findall(text):
        if token == b"(":
            inner: list[Tree] = []
            still_open[-1].append(inner)
            still_open.append(inner)
        elif token == b")":
            still_open.pop()
        elif token[:1] == b'"':
            still_open[-1].append(re.sub(rb"\\(.)", rb"\1", token[1:-1], flags=re.DOTALL))
        else:
            still_open[-1].append(None if token.upper() == b"NIL" else token)
    if len(still_open) != 1 or len(outer) != 1:
        raise UnreadableStructure
    return outer[0]


def _leaves(tree: Tree, *, section: str, depth: int = 0) -> Iterator[Leaf]:
    if not isinstance(tree, list) or depth > MAX_DEPTH:
        raise UnreadableStructure
    if not isinstance(tree[0], list):
        yield _leaf(tree, section=section or "1", top=not section)
        return
    for number, part in enumerate(tree, start=1):
        if not isinstance(part, list):
            break  # the subtype: the parts end here
        if number > MAX_PARTS:
            raise UnreadableStructure
        yield from _leaves(part, section=f"{section}.{number}" if section else str(number), depth=depth + 1)


def _leaf(tree: list[Tree], *, section: str, top: bool) -> Leaf:
    kind, subtype = _word(tree[0]), _word(tree[1])
    content_type = storable(f"{kind}/{subtype}")[:127]
    octets = tree[6]
    if not isinstance(octets, bytes) or not octets.isdigit() or len(octets) > 18:
        raise UnreadableStructure
    # Text has its lines, a message its envelope, structure and lines, before what all have in common.
    extension = 7 + (1 if kind == "text" else 3 if content_type in ("message/rfc822", "message/global") else 0)
    content = _parameters(tree[2])
    told = tree[extension + 1] if len(tree) > extension + 1 else None
    if isinstance(told, list):
        disposition, disposed = _word(told[0]), _parameters(told[1])
    else:  # NIL, or as pymap has it: the header as it was written
        disposed = Parameters(decode(told or b""))
        disposition = disposed.value
    filename = disposed.get("filename") or content.get("name")
    return Leaf(
        section=section,
        content_type=content_type,
        charset=content.get("charset"),
        encoding=_word(tree[5]),
        filename=safe_name(filename),
        content_id=bare_id(_text(tree[3])),
        is_body=is_body(content_type, filename=filename, disposition=disposition, top=top),
        octets=int(octets),
    )


def _word(tree: Tree) -> str:
    return _text(tree).strip().lower()


def _text(tree: Tree) -> str:
    if isinstance(tree, list):
        raise UnreadableStructure
    return decode(tree or b"")


def _parameters(tree: Tree) -> Parameters:
    """A list of names and values, put down as in the header that it came from."""
    pairs = tree if isinstance(tree, list) else []
    written = [""]
    for name, value in zip(pairs[::2], pairs[1::2], strict=False):
        if isinstance(name, bytes) and isinstance(value, bytes):
            quoted = decode(value).replace("\\", "\\\\").replace('"', '\\"')
            written.append(f'{decode(name)}="{quoted}"')
    return Parameters("; ".join(written))
