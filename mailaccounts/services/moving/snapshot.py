"""What a mailbox holds at a moment: of every folder its numbering and its UIDs, a few round trips each."""

from __future__ import annotations

import re
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from django.db.models import F

from mailaccounts.errors import FolderMissing, PermissionMissing
from mailaccounts.mail.uids import uid_set
from mailaccounts.models import MessageUid
from mailaccounts.services.storing.folders import to_read

if TYPE_CHECKING:
    from mailaccounts.mail.imap import ImapSession
    from mailaccounts.models import MailAccount

MOST_FOLDERS = 500
MOST_MESSAGES = 200_000  # of a folder whose UIDs are asked for
MOST_TEXT = 100_000  # characters that the UIDs of one folder may take: mail deleted here and there makes gaps
MOST_TEXT_IN_ALL = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderShot:
    """A folder. ``uids`` as in a command (``1:3,7``); None where they would take too much room: then only their
    number ``messages`` is known."""

    name: str
    uidvalidity: int
    uidnext: int
    messages: int
    uids: str | None

    def numbers(self) -> set[int]:
        """The UIDs themselves."""
        found: set[int] = set()
        for first, last in re.findall(r"(\d+)(?::(\d+))?", self.uids or ""):
            found.update(range(int(first), int(last or first) + 1))
        return found

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def take(session: ImapSession, *, until: float) -> tuple[list[FolderShot], int]:
    """Every folder that is synced, INBOX first, and how many were left out: a server that is slow, or has very many,
    doesn't keep anybody waiting beyond ``until`` (of time.monotonic)."""
    wanted = to_read(session.folders(), gmail=session.abilities.gmail)
    shots: list[FolderShot] = []
    left_out, room = 0, MOST_TEXT_IN_ALL
    for position, info in enumerate(wanted):
        if position >= MOST_FOLDERS or (position and time.monotonic() > until):
            left_out += len(wanted) - position
            break
        shot = look(session, info.name)
        if shot is None:
            left_out += 1
            continue
        room -= len(shot.uids or "")
        shots.append(shot if room >= 0 else replace(shot, uids=None))
    return shots, left_out


def look(session: ImapSession, name: str) -> FolderShot | None:
    """One folder, in two round trips; None when it can't be opened."""
    try:
        state = session.select(name, readonly=True)
    except (FolderMissing, PermissionMissing):
        return None
    known = state.exists <= MOST_MESSAGES
    uids = session.search() if known and state.exists else []
    text = uid_set(uids) if known else ""
    return FolderShot(
        name=name,
        uidvalidity=state.uidvalidity,
        uidnext=max(state.uidnext, max(uids, default=0) + 1),
        messages=len(uids) if known else state.exists,
        uids=text if known and len(text) <= MOST_TEXT else None,
    )


def of_store(account: MailAccount) -> list[FolderShot]:
    """The stored messages of every folder, by the UIDs they were last seen under. One query."""
    places = MessageUid.objects.filter(folder__account=account, uidvalidity=F("folder__uidvalidity"))
    uids: dict[tuple[str, int], list[int]] = {}
    for name, uidvalidity, uid in places.values_list("folder__name", "uidvalidity", "uid"):
        uids.setdefault((name, uidvalidity), []).append(uid)
    return [
        FolderShot(
            name=name, uidvalidity=uidvalidity, uidnext=max(found) + 1, messages=len(found), uids=uid_set(found)
        )
        for (name, uidvalidity), found in uids.items()
    ]
