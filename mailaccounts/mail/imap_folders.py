"""Folders: reading LIST (RFC 9051 §7.3.1) and telling what each is for (RFC 6154)."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from imapclient.imap_utf7 import decode, encode

from mailaccounts.mail.types import FolderInfo, FolderRole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailaccounts.mail.types import FolderStatus

logger = logging.getLogger(__name__)

MAX_NAME = 1000  # bytes in UTF-8; what the store keeps, and what an index of PostgreSQL takes

LINE = re.compile(rb'\((?P<flags>[^)]*)\) (?P<delimiter>NIL|"\\?.") (?P<name>.+)', re.IGNORECASE | re.DOTALL)
QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
PLAIN = re.compile(rb"[ -%'-~]+")  # modified UTF-7 without an "&" is ASCII (RFC 3501 §5.1.3)
LITERAL = re.compile(rb"\{(\d{1,6})\+?\}$")

ROLE_FLAGS = {
    rb"\ALL": FolderRole.ALL,
    rb"\ARCHIVE": FolderRole.ARCHIVE,
    rb"\DRAFTS": FolderRole.DRAFTS,
    rb"\FLAGGED": FolderRole.FLAGGED,
    rb"\JUNK": FolderRole.JUNK,
    rb"\SENT": FolderRole.SENT,
    rb"\TRASH": FolderRole.TRASH,
}

# For servers that don't tell: the names that mail programs give, in lower case.
ROLE_NAMES = {
    FolderRole.ARCHIVE: ("archive", "archives", "archiv"),
    FolderRole.DRAFTS: ("drafts", "draft", "entwürfe", "brouillons", "concepten", "borradores", "bozze"),
    FolderRole.JUNK: ("junk", "spam", "junk e-mail", "junk email", "bulk mail", "spamverdacht", "unerwünscht"),
    FolderRole.SENT: (
        "sent",
        "sent items",
        "sent messages",
        "sent mail",
        "gesendet",
        "gesendete objekte",
        "gesendete elemente",
        "envoyés",
        "éléments envoyés",
        "verzonden items",
        "enviados",
        "inviata",
    ),
    FolderRole.TRASH: (
        "trash",
        "deleted items",
        "deleted messages",
        "deleted",
        "papierkorb",
        "gelöscht",
        "gelöschte objekte",
        "gelöschte elemente",
        "corbeille",
        "prullenbak",
        "papelera",
        "cestino",
    ),
}
ROLE_OF_NAME = {name: role for role, names in ROLE_NAMES.items() for name in names}


def read_folders(
    lines: Sequence[tuple[bytes, bytes | None]], statuses: Mapping[str, FolderStatus] | None = None
) -> list[FolderInfo]:
    """Turns the lines of LIST, each with the literal it ended in if it had one, into folders, INBOX first, then by
    name.

    A line that makes no sense, or a name that can't be sent back as it came, is left out: one bad folder must not hide
    the others.
    """
    found: dict[str, tuple[FolderInfo, set[bytes]]] = {}
    for line, literal in lines:
        match = LINE.match(line)
        name = folder_name(match["name"], literal) if match else None
        if match is None or name is None:
            logger.debug("left out a folder with an unusable name or line")
            continue
        flags = set(match["flags"].upper().split())
        info = FolderInfo(
            name=name,
            delimiter=_delimiter(match["delimiter"]),
            role=FolderRole.INBOX if name == "INBOX" else FolderRole.OTHER,
            # An INBOX that can't be opened has to be tried: that is how it is noticed.
            selectable=name == "INBOX" or not flags & {rb"\NOSELECT", rb"\NONEXISTENT"},
        )
        found.setdefault(name, (info, flags))
    if "INBOX" not in found:  # there always is one, listed or not (RFC 9051 §5.1)
        inbox = FolderInfo(name="INBOX", delimiter="", role=FolderRole.INBOX, selectable=True)
        found["INBOX"] = (inbox, set())
    folders = [_with_status(each, (statuses or {}).get(each.name)) for each in _with_roles(list(found.values()))]
    return sorted(folders, key=lambda folder: (folder.role is not FolderRole.INBOX, folder.name))


def _with_status(folder: FolderInfo, status: FolderStatus | None) -> FolderInfo:
    return replace(folder, status=status, mailbox_id=status.mailbox_id) if status else folder


def folder_name(raw: bytes, literal: bytes | None) -> str | None:
    """A folder's name as we write it, from an atom, a quoted string or a literal; None when it can't be used."""
    if literal is not None and LITERAL.fullmatch(raw):
        raw = literal
    elif quoted := QUOTED.match(raw):
        raw = re.sub(rb"\\(.)", rb"\1", quoted[1])
    else:
        raw = raw.split(b" ", 1)[0]
    plain = PLAIN.fullmatch(raw) is not None
    try:
        name: str = raw.decode("ascii") if plain else decode(raw)
        unchanged = plain or encode(name) == raw
    except ValueError:
        return None
    if raw.upper() == b"INBOX":  # bytes: "&ATE-nbox" would be INBOX in capitals too
        return "INBOX"
    if not unchanged or not name or len(name.encode()) > MAX_NAME or any(ord(character) < 32 for character in name):
        return None
    return name


def _delimiter(raw: bytes) -> str:
    return "" if raw.upper() == b"NIL" else raw[1:-1][-1:].decode("ascii", "replace")


def _with_roles(folders: list[tuple[FolderInfo, set[bytes]]]) -> list[FolderInfo]:
    """Gives every role to one folder: by special-use flag, or by name when the server flags no folder with it."""
    told = {ROLE_FLAGS[flag] for _, flags in folders for flag in flags & set(ROLE_FLAGS)}
    taken: set[FolderRole] = set()
    result = []
    for folder, flags in folders:
        role = folder.role
        if role is FolderRole.OTHER:
            role = next((ROLE_FLAGS[flag] for flag in sorted(flags & set(ROLE_FLAGS))), role)
        if role is FolderRole.OTHER:
            leaf = folder.name.rsplit(folder.delimiter, 1)[-1] if folder.delimiter else folder.name
            named = ROLE_OF_NAME.get(leaf.lower(), role)
            role = role if named in told else named
        if role in taken or not folder.selectable:
            role = FolderRole.OTHER
        elif role is not FolderRole.OTHER:
            taken.add(role)
        result.append(folder if role is folder.role else replace(folder, role=role))
    return result
