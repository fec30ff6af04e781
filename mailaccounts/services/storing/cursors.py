"""How far each folder was read, and reading it anew."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F

from mailaccounts.mail.uids import uid_set
from mailaccounts.models import Folder, MailAccount, MessageUid
from mailaccounts.rules.sync_plan import FolderCursor, Restart, plan
from mailaccounts.services.limits.lease import renew
from mailaccounts.services.storing import places, summaries

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import date

    from mailaccounts.mail.types import FolderStatus
    from mailaccounts.rules.sync_plan import History
    from mailaccounts.services.limits.lease import Lease

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


def of(folder: Folder) -> FolderCursor:
    return FolderCursor(**{name: getattr(folder, name) for name in CURSOR})


def restart(folder: Folder, cursor: FolderCursor, *, held: Lease) -> None:
    """Begins again with ``cursor``. Places known so far stay until the folder has been gone through."""
    with transaction.atomic():
        renew(held)
        places.thin_out(folder)
        if folder.uidvalidity == cursor.uidvalidity:
            places.set_aside(folder)
        folder.quarantined.all().delete()
        write(folder, UNREAD | {name: getattr(cursor, name) for name in CURSOR})


def begin_empty(folder: Folder, status: FolderStatus, *, since: date | None, held: Lease) -> None:
    """A folder with nothing in it need not be opened to know that."""
    decision = plan(of(folder), status, since=since)
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
        write(
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
        write(folder, {"history_below": 0, "history_since": left.since, "older": older})


def put_off(rows: Iterable[Folder]) -> None:
    """Time ran out before the turn of ``rows``: they are first the next time."""
    Folder.objects.filter(pk__in=[folder.pk for folder in rows]).update(put_off=True)


def note_turn(folder: Folder) -> None:
    """The folder was gone through."""
    if folder.put_off:
        write(folder, {"put_off": False})


def note_joined(folder: Folder, *, left: Collection[int], held: Lease) -> None:
    """Of the messages that were to join a contact's conversation only those at ``left`` still are."""
    with transaction.atomic():
        renew(held)
        write(folder, {"joining": uid_set(left)})


def note_looked_for(folder: Folder, *, joining: Collection[int], up_to: int | None, held: Lease) -> None:
    """Messages that are to join were looked for, with people known since the change ``up_to`` if there is one."""
    with transaction.atomic():
        renew(held)
        write(folder, {"joining": uid_set(joining), **({} if up_to is None else {"looked_for": up_to})})


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


def write(folder: Folder, columns: dict[str, object]) -> None:
    """Writes these columns of the folder and no other, for ``folder`` may be older than its row."""
    Folder.objects.filter(pk=folder.pk).update(**columns)
    for name, value in columns.items():
        setattr(folder, name, value)
