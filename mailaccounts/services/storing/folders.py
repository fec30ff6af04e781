"""Keeps our folders and their cursors in step with the server's list."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict

from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.utils import timezone

from mailaccounts.mail.types import FolderRole
from mailaccounts.mail.uids import uid_set
from mailaccounts.models import Folder, MailAccount, MessageUid
from mailaccounts.rules.sync_plan import FolderCursor, Restart, plan
from mailaccounts.services.limits.lease import Lease, renew
from mailaccounts.services.storing import places, summaries

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import date

    from django_stubs_ext import WithAnnotations

    from mailaccounts.mail.types import FolderInfo, FolderStatus
    from mailaccounts.rules.sync_plan import History

    class Moved(TypedDict):
        departing: bool

    Row = WithAnnotations[Folder, Moved]

LEFT_OUT = frozenset({FolderRole.JUNK, FolderRole.TRASH, FolderRole.DRAFTS})

CURSOR = (
    "uidvalidity",
    "last_uid",
    "history_until",
    "history_below",
    "history_since",
    "history_to",
    "uidnext",
    "exists",
    "highestmodseq",
)
UNREAD = {name: getattr(FolderCursor(), name) for name in CURSOR} | {
    "history_total": 0,
    "history_done": 0,
    "older": 0,
    "flags_at": None,
    "flags_below": 0,
    "joining": "",
}


def to_read(infos: Sequence[FolderInfo], *, gmail: bool) -> list[FolderInfo]:
    """INBOX first, then mail sent, then the rest; what nobody wants in a CRM is left out. At Gmail, whose folders are
    labels, the one with all mail will do, unless its owner hides it from IMAP."""
    everything = [info for info in infos if info.selectable and info.role is FolderRole.ALL]
    if gmail and everything:
        return everything
    order = {FolderRole.INBOX: 0, FolderRole.SENT: 1}
    wanted = [info for info in infos if info.selectable and info.role not in LEFT_OUT]
    return sorted(wanted, key=lambda info: (order.get(info.role, 2), info.name))


def is_indispensable(info: FolderInfo, *, gmail: bool) -> bool:
    """Whether an account whose folder can't be opened is one that can't be read."""
    return info.role is FolderRole.INBOX or (gmail and info.role is FolderRole.ALL)


def rows_of(account: MailAccount) -> dict[str, Row]:
    """Our folders of the account, by name; ``departing`` tells whether messages were moved out of it, or are about to
    be. One query."""
    moved = MessageUid.objects.filter(folder=OuterRef("pk"), moving_to__isnull=False)
    return {folder.name: folder for folder in account.folders.annotate(departing=Exists(moved))}


def remember(
    account: MailAccount, infos: Sequence[FolderInfo], *, rows: dict[str, Row], give_up: bool, held: Lease
) -> dict[str, Row]:
    """Our row of every folder listed, by name; ``rows`` are those there were. One that is not listed is marked, with
    its cursor kept; when the next sync misses it too (``give_up``), it was deleted: nothing lies in it any more, and
    its row goes with the sync after that. LeaseLost before anything is written for an account that is another's. The
    number of queries depends on that of the deleted folders only."""
    news = [
        Folder(account=account, name=info.name, role=info.role, mailbox_id=_mailbox_id(info))
        for info in infos
        if info.name not in rows or _differs(rows[info.name], info)
    ]
    if news:
        with transaction.atomic():
            renew(held)
            Folder.objects.bulk_create(
                news,
                update_conflicts=True,
                unique_fields=["account", "name"],
                update_fields=["role", "mailbox_id", "missing_since"],
            )
        rows = rows_of(account)
    listed = {info.name for info in infos if info.selectable}
    missing = [folder for folder in rows.values() if folder.name not in listed]
    fresh = [folder.pk for folder in missing if folder.missing_since is None]
    if fresh:
        Folder.objects.filter(pk__in=fresh).update(missing_since=timezone.now())
    if give_up:
        _give_up([folder for folder in missing if folder.missing_since is not None], held=held)
    return rows


def _differs(row: Folder, info: FolderInfo) -> bool:
    return (row.role, row.mailbox_id) != (info.role, _mailbox_id(info)) or row.missing_since is not None


def _mailbox_id(info: FolderInfo) -> str:
    return info.mailbox_id[:255]


def _give_up(rows: Sequence[Folder], *, held: Lease) -> None:
    """Their cursors begin anew should they come back, and their messages are recognised then. The rows of those given
    up before are deleted, or a server that makes up names would fill the table."""
    empty = [folder.pk for folder in rows if folder.uidvalidity is None]
    if empty:
        with transaction.atomic():
            renew(held)
            Folder.objects.filter(pk__in=empty, uidvalidity=None).delete()
    for folder in rows:
        if folder.uidvalidity is not None:
            with transaction.atomic():
                renew(held)
                places.drop_all(folder)
                folder.quarantined.all().delete()
                _write(folder, UNREAD)


def give_up(rows: Iterable[Folder], *, since: date | None, held: Lease) -> None:
    """Forgets what lay in folders that aren't read any more, now that all their mail since a date was found in others.
    Should they be read again, their messages are recognised."""
    for folder in rows:
        if folder.uidvalidity is not None:
            with transaction.atomic():
                renew(held)
                places.drop_all(folder, since=since)
                _write(folder, UNREAD)


def note_missing(folder: Folder) -> None:
    """The server listed it and then had it not."""
    Folder.objects.filter(pk=folder.pk, missing_since=None).update(missing_since=timezone.now())


def put_off(rows: Iterable[Folder]) -> None:
    """Time ran out before the turn of ``rows``: they are first the next time."""
    Folder.objects.filter(pk__in=[folder.pk for folder in rows]).update(put_off=True)


def note_turn(folder: Folder) -> None:
    """The folder was gone through."""
    if folder.put_off:
        _write(folder, {"put_off": False})


def note_joined(folder: Folder, *, left: Collection[int], held: Lease) -> None:
    """Of the messages that were to join a contact's conversation only those at ``left`` still are."""
    with transaction.atomic():
        renew(held)
        _write(folder, {"joining": uid_set(left)})


def note_looked_for(folder: Folder, *, joining: Collection[int], up_to: int | None, held: Lease) -> None:
    """Messages that are to join were looked for, with people known since the change ``up_to`` if there is one."""
    with transaction.atomic():
        renew(held)
        _write(folder, {"joining": uid_set(joining), **({} if up_to is None else {"looked_for": up_to})})


def cursor_of(folder: Folder) -> FolderCursor:
    return FolderCursor(**{name: getattr(folder, name) for name in CURSOR})


def restart(folder: Folder, cursor: FolderCursor, *, held: Lease) -> None:
    """Begins again with ``cursor``. Places known so far stay until the folder has been gone through."""
    with transaction.atomic():
        renew(held)
        places.thin_out(folder)
        if folder.uidvalidity == cursor.uidvalidity:
            places.set_aside(folder)
        folder.quarantined.all().delete()
        _write(folder, UNREAD | {name: getattr(cursor, name) for name in CURSOR})


def begin_empty(folder: Folder, status: FolderStatus, *, since: date | None, held: Lease) -> None:
    """A folder with nothing in it need not be opened to know that."""
    decision = plan(cursor_of(folder), status, since=since)
    if isinstance(decision, Restart):
        now: dict[str, Any] = {
            "uidnext": status.uidnext,
            "exists": 0,
            "highestmodseq": status.highestmodseq,
            "history_below": 0,
        }
        restart(folder, replace(decision.cursor, **now), held=held)


def go_on(folder: Folder, left: History, *, count: int, held: Lease) -> None:
    """Notes how much is left of a pass through history, ``count`` messages, and which date it goes back to by now."""
    done = 0 if left.begins else folder.history_done
    with transaction.atomic():
        renew(held)
        _write(
            folder,
            {
                "history_below": left.below,
                "history_to": left.since,
                "history_done": done,
                "history_total": done + count,
            },
        )


def end_history(folder: Folder, left: History, *, older: int, held: Lease) -> None:
    """All of history has been examined, back to the date of ``left``; ``older`` messages are left alone."""
    with transaction.atomic():
        renew(held)
        places.drop_old(folder, since=left.since)
        _write(folder, {"history_below": 0, "history_since": left.since, "older": older})


def go_through_again(account_id: int, names: Collection[str], *, held: Lease) -> None:
    """Has the next sync examine all of these folders: something of them isn't stored. What is, is recognised."""
    with transaction.atomic():
        renew(held)
        Folder.objects.filter(account=account_id, name__in=names, history_until__gt=0).update(**all_again())


def all_again() -> dict[str, Any]:
    """The columns with which a folder that was read is gone through again."""
    until = F("history_until")
    return {"last_uid": until - 1, "highestmodseq": None, "examined": 0, **history_again(until)}


def history_again(until: Any) -> dict[str, Any]:
    """The columns with which history begins again, whose ``until`` is given."""
    return {"history_below": until, "history_since": None, "history_to": None, "history_done": 0}


def begin_anew(account_id: int) -> None:
    """Forgets places and cursors, for UIDs mean nothing on another server, even under the same UIDVALIDITY. A sync
    under way on the old one loses its lease. What is stored stays, and is recognised by fingerprint."""
    MailAccount.objects.filter(pk=account_id).update(lease_owner="", lease_until=None, stage="")
    MessageUid.objects.filter(folder__account=account_id).delete()
    summaries.nowhere(account_id)
    Folder.objects.filter(account=account_id).update(mailbox_id="", **UNREAD)


def _write(folder: Folder, columns: dict[str, object]) -> None:
    Folder.objects.filter(pk=folder.pk).update(**columns)
    for name, value in columns.items():
        setattr(folder, name, value)
