"""Reads address lists (RFC 5322 §3.4), as well as they can be read, in time linear in their length.

Only what stands where an address stands is one: not what a display name, a comment or a quoted string happens to
contain, or anybody could pass for a contact. The standard library's reader takes such for addresses in some versions
and gives up on the whole list in others.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r"""(?P<quoted>"(?:[^"\\]|\\.)*+")
    | <(?P<angle>[^<>]*+)>
    | (?P<mark>[,;:(])
    | (?P<text>\\. | [^"<>,;:(\\]++ | .)""",
    re.VERBOSE | re.DOTALL,
)
_CHARACTER = r"[^\s\x00-\x1f\x7f<>,;:()\[\]\\\"@']"
_PLAIN = re.compile(  # an element as nearly all are written; whatever is special about another, this doesn't match it
    rf"""\s*+(?: (?: "(?P<quoted>[^"\\]*+)" \s*+ | (?P<name>[^"<>,;:()\\@]*+) )
              <(?P<angle>{_CHARACTER}++@{_CHARACTER}*+(?<!\.))>
            | (?P<bare>{_CHARACTER}++@{_CHARACTER}*+(?<![.@])) )
    \s*+ (?: , | \Z)""",
    re.VERBOSE,
)
_PARENTHESIS = re.compile(r"\\.|[()]", re.DOTALL)
_AROUND = re.compile(r"(?<!\s)\s*+([@.])\s*+")  # a run of blanks is looked at from its beginning only
_ROUTE = re.compile(r"\A\s*+(?:@[^:]*+|mailto):", re.IGNORECASE)
_UNFIT = re.compile(r"[\s\x00-\x1f\x7f<>,;:()\[\]\\\"]")
_QUOTED_LOCAL = re.compile(r'"((?:[^"\\]|\\.)*+)"@', re.DOTALL)


def mailboxes(text: str) -> Iterator[tuple[str, str]]:
    """(name, address) of each mailbox in ``text``, group members included; the name as it was written, unquoted."""
    at = 0
    while plain := _PLAIN.match(text, at):
        at = plain.end()
        quoted, name, angle, bare = plain.groups()
        yield (name or "").strip() if quoted is None else quoted, angle or bare
    if at < len(text):
        yield from _read(text, at)


def _read(text: str, at: int = 0) -> Iterator[tuple[str, str]]:
    """The mailboxes from ``at`` on, where an element begins."""
    words: list[str] = []
    had_angle, closed_comments = False, True
    while match := _TOKEN.match(text, at):
        at = match.end()
        if match["angle"] is not None:
            if address := _address(_ROUTE.sub("", match["angle"], count=1)):
                yield _name(words), address
            words, had_angle = [], True
        elif match["mark"] == "(":
            end = _comment_end(text, at) if closed_comments else 0
            closed_comments = bool(end)
            at = end or at
        elif match["mark"] == ":":  # what came before is the name of a group
            words, had_angle = [], False
        elif match["mark"]:
            if not had_angle:
                yield from _bare(words)
            words, had_angle = [], False
        else:
            words.append(match[0])
    if not had_angle:
        yield from _bare(words)


def _bare(words: list[str]) -> Iterator[tuple[str, str]]:
    """The mailbox of an element without angle brackets: its last word with an @."""
    pieces = _AROUND.sub(r"\1", "".join(words)).split()
    for position in range(len(pieces) - 1, -1, -1):
        if address := _address(pieces[position]):
            yield _name([" ".join(pieces[:position])]), address
            return


def _address(text: str) -> str:
    """``text`` as an address, or "" if it isn't one. A local part that need not be quoted loses its quotes."""
    text = _AROUND.sub(r"\1", text.strip()).rstrip(".")
    if len(text) > 2 and text[0] == text[-1] == "'":
        text = text[1:-1]
    local, at, domain = text.rpartition("@")
    if quoted := _QUOTED_LOCAL.fullmatch(text[: len(local) + 1]):
        plain = re.sub(r"\\(.)", r"\1", quoted[1])
        needed = not plain or _UNFIT.search(plain) or "@" in plain
        local = local if needed else plain
        usable = not re.search(r"[\s\x00-\x1f\x7f<>,;]", local)
    else:
        usable = not _UNFIT.search(local) and "@" not in local
    if not (usable and local and at and domain) or _UNFIT.search(domain.removeprefix("[").removesuffix("]")):
        return ""
    return f"{local}@{domain}"


def _name(words: list[str]) -> str:
    name = "".join(words).strip()
    return re.sub(r'\\(.)|"', r"\1", name)


def _comment_end(text: str, at: int) -> int:
    """Behind the comment that began before ``at``; comments nest. 0 when it has no end."""
    depth = 1
    for match in _PARENTHESIS.finditer(text, at):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return 0
