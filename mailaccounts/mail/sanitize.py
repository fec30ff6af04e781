"""HTML of a mail, cleaned for showing or reduced to text. An allow-list: whatever isn't named here is dropped.

Nothing that is left loads anything, runs anything, sends anything or reaches outside its place on the page: of a
picture only its address stays, where no browser looks for it (``data-src``). Pages still show all of it in a sandboxed
frame with a policy of its own.
"""

from __future__ import annotations

import html as entities
import re

import nh3

from mailaccounts.mail.markup import put_in_order, tokens

MAX_HTML = 2**19  # characters

_TAGS = {
    *("a", "abbr", "address", "article", "aside", "b", "bdi", "bdo", "big", "blockquote", "br", "caption", "center"),
    *("cite", "code", "col", "colgroup", "dd", "del", "details", "dfn", "div", "dl", "dt", "em", "figcaption"),
    *("figure", "font", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "i", "img", "ins", "kbd", "li"),
    *(
        "main",
        "mark",
        "nav",
        "ol",
        "p",
        "pre",
        "q",
        "s",
        "samp",
        "section",
        "small",
        "span",
        "strike",
        "strong",
        "sub",
    ),
    *("summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "u", "ul", "var", "wbr"),
}
_CONTENT_TAGS = {  # dropped with all that is in them
    *(
        "applet",
        "embed",
        "head",
        "iframe",
        "math",
        "noscript",
        "object",
        "script",
        "style",
        "svg",
        "template",
        "title",
    ),
}
_ATTRIBUTES = {
    "*": {"dir", "lang", "style", "title", "align", "valign"},
    "a": {"href"},
    "col": {"span", "width"},
    "font": {"color", "face", "size"},
    "img": {"data-src", "alt", "width", "height"},
    "ol": {"start", "type"},
    "table": {"border", "cellpadding", "cellspacing", "width", "bgcolor"},
    "td": {"colspan", "rowspan", "width", "height", "bgcolor"},
    "th": {"colspan", "rowspan", "width", "height", "bgcolor", "scope"},
    "tr": {"bgcolor"},
}
_STYLES = {  # none of these takes a URL or moves anything
    *("background-color", "border-collapse", "color", "direction", "font-family", "font-size", "font-style"),
    *("font-variant", "font-weight", "letter-spacing", "line-height", "text-align", "text-decoration", "text-indent"),
    *("text-transform", "vertical-align", "white-space", "word-break"),
}


def _pictures(tag: str, attribute: str, value: str) -> str | None:
    """Keeps the addresses of pictures that come with the message, or by HTTP."""
    if (tag, attribute) == ("img", "data-src") and not value.lower().startswith(("cid:", "https://", "http://")):
        return None
    return value


_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags=_CONTENT_TAGS,
    attributes=_ATTRIBUTES,
    attribute_filter=_pictures,
    url_schemes={"http", "https", "mailto", "tel"},
    url_relative="deny",
    link_rel="noopener noreferrer",
    set_tag_attribute_values={"a": {"target": "_blank"}},
    filter_style_properties=_STYLES,
)

_LINE_BREAKS = frozenset(("blockquote", "div", "h1", "h2", "h3", "h4", "h5", "h6", "li", "p", "table", "tr"))
_BLANKS = re.compile(r"[^\S\n]+")
_EMPTY_LINES = re.compile(r"\n\s*\n\s*")


def clean_html(html: str) -> str:
    """``html`` with formatting, tables and links only, and where pictures would be; no forms, scripts,
    URLs in styles, SVG, MathML."""
    return _CLEANER.clean(put_in_order(html[:MAX_HTML], tags=_TAGS))


def html_to_text(html: str) -> str:
    """What a person would read in ``html``, with its line breaks and without its markup."""
    pieces = []
    for token in tokens(html[:MAX_HTML]):
        if isinstance(token, str):
            pieces.append(re.sub(r"\s+", " ", token))
        elif token.name in ("br", "hr") or (token.ends and token.name in _LINE_BREAKS):
            pieces.append("\n")
    text = _BLANKS.sub(" ", entities.unescape("".join(pieces)))
    return _EMPTY_LINES.sub("\n\n", text.replace("\n ", "\n").replace(" \n", "\n")).strip()
