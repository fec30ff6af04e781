"""HTML as tokens (WHATWG HTML §13.2.5), and put in order before a real parser sees it.

Browsers' parsers repair broken markup, and what they repair it to can be enormous: formatting left open is opened
again in every block, and each tag is looked up through all that are open. A mail of some hundred kilobytes could so
cost gigabytes and minutes. In order means: every element closed where its parent ends, none nested deeper than people
write, and nothing in it that only hides other tags.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape, unescape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

MAX_DEPTH = 400  # elements open at once; a long exchange of quoted mails has a hundred
MAX_FORMATTING = 8  # of those, formatting: a parser may repeat it in every block

_NAME_OF_TAG = r"[a-zA-Z][^ \t\n\f\r/>]*+"
_ATTRIBUTES = r"""(?:[ \t\n\f\r/]++
    | [^ \t\n\f\r/>][^ \t\n\f\r/>=]*+
      (?:[ \t\n\f\r]*+=[ \t\n\f\r]*+ (?:"[^"]*+(?:"|\Z) | '[^']*+(?:'|\Z) | [^ \t\n\f\r>"'][^ \t\n\f\r>]*+ | (?=>)))?
)*+"""
_TOKEN = re.compile(
    rf"""
      <!-- (?: -?> | .*? (?: --!?> | \Z))                     # comment
    | <(?: [!?] | /(?![a-zA-Z])) [^>]*+ >?                    # doctype, CDATA and the like: to the next >
    | <(?P<end>/?)(?P<name>{_NAME_OF_TAG})(?P<attributes>{_ATTRIBUTES})(?P<closed>>?)
    """,
    re.VERBOSE | re.DOTALL,
)

_RAW = frozenset(("iframe", "noembed", "noframes", "noscript", "script", "style", "textarea", "title", "xmp"))
_HIDDEN = frozenset(("applet", "math", "object", "plaintext", "svg", "template"))
_VOID = frozenset(("br", "col", "hr", "img", "wbr"))
_FORMATTING = frozenset(
    ("a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u")
)
_TABLE = frozenset(("caption", "col", "colgroup", "table", "tbody", "td", "tfoot", "th", "thead", "tr"))
_CELLS = frozenset(("caption", "table", "td", "th"))
_SECTIONS = frozenset(("tbody", "td", "tfoot", "th", "thead", "tr"))
_BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "center", "details", "div", "dl", "figcaption", "figure"),
        *("footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "main", "ol", "p", "pre", "section", "table"),
        "ul",
    )
)
_ENDED_BY = {  # elements whose end tag people leave out, by what begins next to them
    **dict.fromkeys(_BLOCKS, frozenset(("p",))),
    "dd": frozenset(("dd", "dt")),
    "dt": frozenset(("dd", "dt")),
    "li": frozenset(("li",)),
    "tbody": _SECTIONS,
    "td": frozenset(("td", "th")),
    "tfoot": _SECTIONS,
    "th": frozenset(("td", "th")),
    "tr": frozenset(("td", "th", "tr")),
}


_ATTRIBUTE = re.compile(
    r"""([^ \t\n\f\r/>][^ \t\n\f\r/>=]*+)
      (?:[ \t\n\f\r]*+=[ \t\n\f\r]*+ (?:"([^"]*+)"? | '([^']*+)'? | ([^ \t\n\f\r>"'][^ \t\n\f\r>]*+)))?""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Tag:
    """``name`` in lower case; ``attributes`` as they were written."""

    name: str
    ends: bool
    attributes: str = ""


def tokens(html: str) -> Iterator[Tag | str]:
    """Tags and the text between them, entities as they were. Left out: comments, and elements that aren't text to
    read (scripts, styles, drawings …) with all that is in them. Linear in the length of ``html``."""
    at = 0
    while match := _TOKEN.search(html, at):
        if match.start() > at:
            yield html[at : match.start()]
        at = match.end()
        name = (match["name"] or "").lower()
        if not name or not match["closed"]:
            continue  # an unfinished tag at the end is no tag
        if not match["end"] and name in _RAW:
            at = _end_of_raw(html, at, name)
        elif not match["end"] and name in _HIDDEN:
            if not match["attributes"].endswith("/"):
                at = _end_of_hidden(html, at, name)
        else:
            yield Tag(name, bool(match["end"]), match["attributes"])
    if at < len(html):
        yield html[at:]


def _end_of_raw(html: str, at: int, name: str) -> int:
    """Behind the end tag of an element that holds no tags; the end of ``html`` when it is missing."""
    match = re.compile(rf"</{name}(?=[ \t\n\f\r/>])[^>]*+>?", re.IGNORECASE).search(html, at)
    return match.end() if match else len(html)


def _end_of_hidden(html: str, at: int, name: str) -> int:
    """Behind the end tag that belongs to an element, whatever is in between."""
    depth = 1
    for match in re.compile(rf"<(/?){name}(?=[ \t\n\f\r/>])[^>]*+>?", re.IGNORECASE).finditer(html, at):
        depth += -1 if match[1] else 1
        if depth == 0:
            return match.end()
    return len(html)


def put_in_order(html: str, *, tags: Collection[str]) -> str:
    """``html`` with only ``tags`` (as allowed as their attributes may turn out to be), properly nested."""
    written: list[str] = []
    still_open: list[str] = []

    def end(count: int) -> None:
        for _ in range(count):
            written.append(f"</{still_open.pop()}>")

    for token in tokens(html):
        if isinstance(token, str):
            written.append(token.replace("<", "&lt;"))
        elif token.name not in tags:
            continue
        elif token.ends:
            end(_ended(still_open, token.name))
        else:
            while still_open and still_open[-1] in _ENDED_BY.get(token.name, ()):
                end(1)
            formatting = token.name in _FORMATTING
            too_deep = len(still_open) >= MAX_DEPTH or (
                formatting and sum(name in _FORMATTING for name in still_open) >= MAX_FORMATTING
            )
            if token.name in _VOID or not too_deep:
                written.append(f"<{token.name}{_inert(token)}>")
                if token.name not in _VOID:
                    still_open.append(token.name)
    end(len(still_open))
    return "".join(written)


def _inert(tag: Tag) -> str:
    """The attributes of a tag; of a picture the few that matter, its address as ``data-src``, which loads nothing."""
    if tag.name != "img":
        return tag.attributes
    found = attributes(tag)
    kept: dict[str, str] = {name: found[name] for name in ("alt", "width", "height") if name in found}
    if address := found.get("src", "").strip():
        kept["data-src"] = address
    return "".join(f' {name}="{escape(value)}"' for name, value in kept.items())


def attributes(tag: Tag) -> dict[str, str]:
    """The attributes of a tag by name, of each the first, with entities resolved (WHATWG HTML §13.2.5.33)."""
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(tag.attributes):
        found.setdefault(name.lower(), unescape(double or single or bare))
    return found


def _ended(still_open: list[str], name: str) -> int:
    """How many elements an end tag closes: none if it isn't open, or open only outside of this cell."""
    for count, each in enumerate(reversed(still_open), start=1):
        if each == name:
            return count
        if each == "table" or (each in _CELLS and name not in _TABLE):
            return 0
    return 0
