"""A header value with parameters, as Content-Type and Content-Disposition have (RFC 2045 §5.1, RFC 2231)."""

from __future__ import annotations

import re
from email.message import Message

from mailaccounts.mail.text import decode, storable

MAX_PARAMETERS = 4096  # characters that are read

_PLAIN = re.compile(  # a parameter as nearly all are written
    r"""\s*+;\s*+([A-Za-z0-9_-]++)\s*+=\s*+(?:"([^"\\]*+)"|([^\s"\\;<>]++))\s*+(?=;|\Z)"""
)


class Parameters:
    """``value`` is what comes before the first parameter, in lower case."""

    def __init__(self, text: str) -> None:
        self._text = text[:MAX_PARAMETERS]
        self._plain = _plain(self._text)
        self.value = text.partition(";")[0].strip().lower()[:127]

    def get(self, name: str) -> str:
        """The parameter, or "" when it is missing or can't be read."""
        return self._plain.get(name, "") if self._plain is not None else read_at_length(self._text, name)


def _plain(text: str) -> dict[str, str] | None:
    """All parameters, when none of them needs to be read at length."""
    found: dict[str, str] = {}
    at = text.find(";")
    if at < 0:
        return found
    while parameter := _PLAIN.match(text, at):
        name, quoted, token = parameter.groups()
        found.setdefault(name.lower(), storable(token if quoted is None else quoted))
        at = parameter.end()
    return found if text[at:].strip() in ("", ";") else None


def read_at_length(text: str, name: str) -> str:
    """A parameter, by the standard library, which knows the odd forms."""
    reader = Message()
    reader["Content-Type"] = text
    try:
        found = reader.get_param(name, "", header="Content-Type")
    except (ValueError, LookupError, TypeError):
        return ""
    if isinstance(found, tuple):  # RFC 2231: (charset, language, text)
        return decode(found[2].encode("raw-unicode-escape"), found[0])
    return storable(str(found))
