"""Recipients as people type them: ``Maria Anders <maria@customer.test>, info@customer.test``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailaccounts.mail.compose import Mailbox

if TYPE_CHECKING:
    from collections.abc import Iterable

_ONE = re.compile(r'(?:"(?:[^"\\]|\\.)*+"|<[^<>]*+>|[^,;"<]|["<])++', re.DOTALL)
_NAMED = re.compile(r"(?P<name>.*?)\s*<(?P<address>[^<>]*+)>", re.DOTALL)
_PLAIN_NAME = re.compile(r"[^,;\"<>\\]*")


def read(text: str) -> tuple[Mailbox, ...]:
    """Whom ``text`` names. What is no address is kept as one: it is told when the message is to be sent."""
    found = (_mailbox(one.strip(" \t")) for one in _ONE.findall(text))
    return tuple(each for each in found if each.address or each.name)


def write(mailboxes: Iterable[Mailbox]) -> str:
    """The same as text that reads back as it was."""
    return ", ".join(f"{_quoted(each.name)} <{each.address}>" if each.name else each.address for each in mailboxes)


def _mailbox(text: str) -> Mailbox:
    named = _NAMED.fullmatch(text)
    if not named:
        return Mailbox(address=text)
    name = named["name"]
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    return Mailbox(address=named["address"].strip(" \t"), name=name)


def _quoted(name: str) -> str:
    if _PLAIN_NAME.fullmatch(name):
        return name
    return '"{}"'.format(name.replace("\\", "\\\\").replace('"', '\\"'))
