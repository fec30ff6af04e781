"""What a list shows of conversations, kept beside them: so that a page takes as long with a million messages as with
a thousand.

What writes is called inside a transaction that holds the account's row; the number of queries doesn't depend on that
of the conversations.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, F, OuterRef

from mailaccounts.models import Attachment, Folder, MailAccount, Message, MessageUid, Thread, ThreadFolder
from mailaccounts.rules import flags, labels
from mailaccounts.services.storing.bulk import bulk
from mailaccounts.services.storing.told import LEFT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

COLUMNS = ("id", "last_message_at", "length", "unread", "flagged", "has_attachments")
ROWS = (
    *("thread_id", "pk", "received_at", "gone_since", "attached"),
    *("uids", "uids__folder", "uids__moving_to", "uids__seen", "uids__flags", "uids__labels"),
)


@dataclass(slots=True)
class Summary:
    """A conversation as far as it lies in the mailbox. ``read`` are the messages of which one copy was read, ``lying``
    those that have a place at all."""

    newest: datetime | None = None
    messages: set[int] = field(default_factory=set)
    read: set[int] = field(default_factory=set)
    lying: set[int] = field(default_factory=set)
    flagged: bool = False
    attached: bool = False
    folders: set[int] = field(default_factory=set)


def refresh_of(account_id: int, message_ids: Iterable[int]) -> None:
    """Brings the conversations of these messages up to date."""
    _refresh(account_id, Message.objects.filter(pk__among=set(message_ids)).values("thread"))


def refresh(account_id: int, thread_ids: Iterable[int]) -> None:
    """Brings conversations of the account up to date, those that have messages."""
    _refresh(account_id, set(thread_ids))


def _refresh(account_id: int, threads: Any) -> None:
    found = _read(account_id, threads)
    bulk().update(
        Thread,
        COLUMNS,
        [
            (thread, each.newest, len(each.messages), len(each.lying - each.read), each.flagged, each.attached)
            for thread, each in found.items()
        ],
    )
    ThreadFolder.objects.filter(thread__id__among=found).delete()
    bulk().insert(
        ThreadFolder,
        ("thread_id", "folder_id", "last_message_at"),
        [(thread, folder, each.newest) for thread, each in found.items() for folder in sorted(each.folders)],
    )
    MailAccount.objects.filter(pk=account_id).update(revision=F("revision") + 1)


def nowhere(account_id: int) -> None:
    """Where the account's messages lie, isn't known any more."""
    ThreadFolder.objects.filter(thread__account=account_id).delete()
    Thread.objects.filter(account=account_id).update(unread=0, flagged=False)
    MailAccount.objects.filter(pk=account_id).update(revision=F("revision") + 1)


def _read(account_id: int, threads: Any) -> dict[int, Summary]:
    """One query, a second where messages are moved, and another where they have labels."""
    found: dict[int, Summary] = defaultdict(Summary)
    labelled: dict[str, set[int]] = defaultdict(set)
    attached = Exists(Attachment.objects.filter(message=OuterRef("pk"), inline=False))
    rows = Message.objects.filter(account=account_id, thread__in=threads).annotate(attached=attached)
    read = list(rows.values_list(*ROWS))
    left = _left([place for *_, place, _, moving_to, _, _, _ in read if moving_to])
    for row in read:
        thread, message, received, gone, has_attachments, place, folder, moving_to, seen, marks, names = row
        summary = found[thread]
        if gone:
            continue
        summary.messages.add(message)
        summary.newest = max(received, summary.newest or received)
        summary.attached |= has_attachments
        if folder is not None and place not in left:
            summary.lying.add(message)
            summary.folders.add(moving_to or folder)
            summary.flagged |= flags.is_flagged(marks)
            if seen:
                summary.read.add(message)
            for label in filter(None, names.split("\n")):
                labelled[label].add(thread)
    if labelled:
        for name, role, folder in Folder.objects.filter(account=account_id).values_list("name", "role", "pk"):
            for thread in labelled.get(labels.of_folder(name, role), ()):
                found[thread].folders.add(folder)
    return found


def _left(moving: list[int]) -> set[int]:
    """Those of the places whose messages the server has told another place of, which counts instead."""
    return set(MessageUid.objects.filter(LEFT, pk__among=moving).values_list("pk", flat=True)) if moving else set()
