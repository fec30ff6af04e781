"""What to do with a folder, from its cursor and from what the server says about it now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from mailaccounts.mail.types import FolderState, FolderStatus

COMPARED_EVERY = timedelta(hours=6)  # flags, where the server doesn't tell that some changed
INBOX_COMPARED_EVERY = timedelta(minutes=15)
NEWEST = 500  # stored messages of a folder whose flags are compared every time, and so many of the others in turn
ALARMING = 20  # expunged messages at once that may be taken on one answer's word


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderCursor:
    """How far a folder was read; models.Folder says what each of these means."""

    uidvalidity: int | None = None
    last_uid: int = 0
    history_until: int = 0
    history_below: int = 0
    history_since: date | None = None
    history_to: date | None = None
    uidnext: int = 0
    exists: int = 0
    highestmodseq: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """UIDs have a new meaning: begin with ``cursor``. What is stored stays, and is recognised by fingerprint."""

    cursor: FolderCursor


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """Examine what has a UID above ``above``; None when nothing has."""

    above: int | None


SyncPlan = Restart | Advance


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is left to examine of the mail that was there when the folder was first seen: UIDs below ``below``, of mail
    that came on ``since`` or later and before ``before`` (None: no limit). ``begins`` a pass, or goes on with one."""

    below: int
    since: date | None
    before: date | None
    begins: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Resync:
    """The answer to SELECT told every change (QRESYNC, RFC 7162 §3.2.5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Ask for flags that changed since ``modseq`` (CONDSTORE, RFC 7162 §3.1.4), unless that is None: none did.
    ``expunged`` when messages are missing, and which ones is to be asked."""

    modseq: int | None
    expunged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """The server tells no changes: compare flags message by message, of ``everything`` or of some in turn.
    ``expunged`` as above."""

    everything: bool
    expunged: bool


Look = Resync | Changed | Compare


def plan(cursor: FolderCursor, seen: FolderState | FolderStatus, *, since: date | None) -> SyncPlan:
    """Restart for a folder never seen, with a new UIDVALIDITY (RFC 9051 §2.3.1.1), or whose UIDNEXT went backwards,
    as after restoring a backup; else Advance. History goes back to ``since``."""
    if cursor.uidvalidity != seen.uidvalidity or seen.uidnext <= cursor.last_uid:
        until = max(seen.uidnext, 1)
        begin = FolderCursor(
            uidvalidity=seen.uidvalidity,
            last_uid=until - 1,
            history_until=until,
            history_below=until if until > 1 else 0,
            history_to=since,
        )
        return Restart(cursor=begin)
    return Advance(above=cursor.last_uid if seen.uidnext > cursor.last_uid + 1 else None)


def arrivals(cursor: FolderCursor, seen: FolderState) -> list[int] | None:
    """The UIDs above the cursor, as far as SELECT told them: with QRESYNC whatever is new has changed as well. None
    when it leaves the fate of any UID open, and has to be asked."""
    if not seen.resynced:
        return None
    new = sorted(uid for uid in seen.changed if uid > cursor.last_uid)
    told = cursor.last_uid
    for first, last in sorted([*((uid, uid) for uid in new), *seen.vanished]):
        if first > told + 1:
            break
        told = max(told, last)
    return new if told + 1 >= seen.uidnext else None


def history(cursor: FolderCursor, *, since: date | None) -> History | None:
    """What is left of history when mail since ``since`` counts; None when nothing is. An owner who moves the date back
    is given what lies between it and the date of before, and nothing is examined twice."""
    if cursor.history_below:
        to = max((day for day in (cursor.history_to, since) if day is not None), default=None)
        return History(below=cursor.history_below, since=to, before=cursor.history_since, begins=False)
    done = cursor.history_since
    if done is None or cursor.history_until <= 1 or (since is not None and since >= done):
        return None
    return History(below=cursor.history_until, since=since, before=done, begins=True)


def look(cursor: FolderCursor, seen: FolderState, *, arrived: int) -> Look | None:
    """How to find out what changed of the messages stored before, when ``arrived`` messages are new; None at a
    folder's first turn, when none were."""
    if not cursor.uidnext:
        return None
    if seen.resynced:
        return Resync()
    in_between = cursor.last_uid >= cursor.uidnext  # a sync ran out of time: what it examined isn't in ``exists``
    expunged = in_between or seen.exists != cursor.exists + arrived
    before, now = cursor.highestmodseq, seen.highestmodseq
    if before is None and now is None:
        return Compare(everything=False, expunged=expunged)
    if before is None or now is None or now < before:  # it has begun to count, or ceased to, or begun anew
        return Compare(everything=True, expunged=expunged)
    return Changed(modseq=None if now == before else before, expunged=expunged)


def was_misled(cursor: FolderCursor, seen: FolderState, *, arrived: int) -> bool:
    """Whether a folder that was said to be empty holds more than what has arrived since: its history wasn't read."""
    in_between = cursor.last_uid >= cursor.uidnext
    return not cursor.exists and not in_between and not cursor.history_below and seen.exists > arrived


def is_quiet(cursor: FolderCursor, status: FolderStatus | None, *, inbox: bool, compared: timedelta | None) -> bool:
    """Whether a folder need not be opened: STATUS says what it said when the folder was last gone through. Where that
    can't tell of changed flags, they were last compared ``compared`` ago (None: never)."""
    if status is None or cursor.uidvalidity != status.uidvalidity:
        return False
    if (cursor.uidnext, cursor.exists) != (status.uidnext, status.exists) or cursor.last_uid + 1 < status.uidnext:
        return False
    if cursor.highestmodseq is not None:
        return cursor.highestmodseq == status.highestmodseq
    every = INBOX_COMPARED_EVERY if inbox else COMPARED_EVERY
    return compared is not None and compared < every


def compared_now(uids: Sequence[int], *, below: int) -> tuple[list[int], int]:
    """Which of ``uids`` (ascending) to compare this time, and below which UID to go on the next time: always the
    newest, and of the others as many as come next, from the newest to the oldest and then again."""
    newest, others = list(uids[-NEWEST:]), uids[:-NEWEST]
    turn = [uid for uid in others if not below or uid < below][-NEWEST:]
    return [*turn, *newest], turn[0] if turn and turn[0] != others[0] else 0


def within(uids: Iterable[int], ranges: Sequence[tuple[int, int]]) -> list[int]:
    """Those of ``uids`` (ascending) that lie in one of ``ranges``, each from its first to its last UID."""
    found: list[int] = []
    rest = iter(sorted(ranges))
    current = next(rest, None)
    for uid in uids:
        while current is not None and current[1] < uid:
            current = next(rest, None)
        if current is None:
            break
        if current[0] <= uid:
            found.append(uid)
    return found


def is_alarming(*, gone: int, stored: int) -> bool:
    """Whether so many messages are gone at once that it may be the server's mistake, and is asked again."""
    return gone > ALARMING and gone * 2 > stored
