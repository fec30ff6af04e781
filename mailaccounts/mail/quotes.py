"""Finds in a mail what it only repeats of earlier ones, to be folded away."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain, groupby

from mailaccounts.mail.markup import tokens

FEW_LINES = 3  # of a quotation that stay where they are: somebody answers them one by one
FEW_CHARACTERS = 300

_QUOTED = re.compile(r" {0,3}>")
_ALL_FROM_HERE = re.compile(
    r"-{3,} ?(Original Message|Ursprüngliche Nachricht|Message d'origine) ?-{3,}", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Passage:
    """Lines of a text that belong together; ``quoted`` when they are somebody else's, and more than a few."""

    text: str
    quoted: bool


def passages(text: str) -> list[Passage]:
    """``text`` cut where a quotation begins and ends (RFC 3676 §4.5); all after "Original Message" is one."""
    runs: list[tuple[bool, list[str]]] = []
    from_here = False
    for line in text.split("\n"):
        from_here = from_here or bool(_ALL_FROM_HERE.match(line.strip()))
        quoted = from_here or bool(_QUOTED.match(line))
        if not runs or runs[-1][0] != quoted:
            runs.append((quoted, []))
        runs[-1][1].append(line)
    folded = groupby(runs, key=lambda run: run[0] and len(run[1]) > FEW_LINES)
    return [Passage("\n".join(chain.from_iterable(lines for _, lines in group)), fold) for fold, group in folded]


def fold_html(html: str) -> str:
    """Clean ``html`` with long quotations in elements that open on a click, without a script."""
    written: list[str] = []
    depth = began = 0
    for token in tokens(html):
        if isinstance(token, str):
            written.append(token)
            continue
        if token.name == "blockquote" and not token.ends:
            if depth == 0:
                began = len(written)
            depth += 1
        written.append(f"<{'/' if token.ends else ''}{token.name}{token.attributes}>")
        if token.name == "blockquote" and token.ends and depth:
            depth -= 1
            if depth == 0 and sum(map(len, written[began:])) > FEW_CHARACTERS:
                written.insert(began, "<details><summary>Quoted text</summary>")
                written.append("</details>")
    return "".join(written)
