"""Keeps our folders in step with the server's list."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from mailaccounts.mail.types import FolderRole
from mailaccounts.models import Folder, MessageUid
from mailaccounts.services.limits.lease import renew
from mailaccounts.services.storing import cursors, places

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from django_stubs_ext import WithAnnotations

    from mailaccounts.mail.types import FolderInfo
    from mailaccounts.models import MailAccount
    from mailaccounts.services.limits.lease import Lease

    class Moved(TypedDict):
        departing: bool

    Row = WithAnnotations[Folder, Moved]

LEFT_OUT = frozenset({FolderRole.JUNK, FolderRole.TRASH, FolderRole.DRAFTS})


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
                cursors.write(folder, cursors.UNREAD)


def give_up(rows: Iterable[Folder], *, since: date | None, held: Lease) -> None:
    """Forgets what lay in folders that aren't read any more, now that all their mail since a date was found in others.
    Should they be read again, their messages are recognised."""
    for folder in rows:
        if folder.uidvalidity is not None:
            with transaction.atomic():
                renew(held)
                places.drop_all(folder, since=since)
                cursors.write(folder, cursors.UNREAD)


def note_missing(folder: Folder) -> None:
    """The server listed it and then had it not."""
    Folder.objects.filter(pk=folder.pk, missing_since=None).update(missing_since=timezone.now())
