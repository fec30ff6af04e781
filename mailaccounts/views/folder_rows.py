"""The folders of an account as its page lists them; at Gmail, where one has all mail, the others are labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count, F, Q

from mailaccounts.mail.types import FolderRole
from mailaccounts.models import MessageUid
from mailaccounts.rules import labels
from mailaccounts.services.storing.folders import LEFT_OUT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mailaccounts.models import Folder, MailAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderRow:
    """``read_with`` is the folder that has its mail when it is a label, else ""."""

    name: str
    examined: int
    stored: int
    synced_at: datetime | None
    missing: bool
    left_out: bool
    read_with: str = ""


def of(account: MailAccount) -> list[FolderRow]:
    """INBOX first, those that are left out last."""
    current = Q(uids__uidvalidity=F("uidvalidity"))
    counted = account.folders.annotate(stored=Count("uids__message", filter=current, distinct=True))
    folders = list(counted)  # read once: a sync adds folders meanwhile
    stored = {folder.pk: folder.stored for folder in folders}
    everything = _all_mail(folders)
    if everything is not None:
        by_label = _stored_by_label(everything)
        stored |= {
            folder.pk: by_label[labels.of_folder(folder.name, folder.role)]
            for folder in folders
            if folder != everything
        }
    found = [_row(folder, stored=stored[folder.pk], everything=everything) for folder in folders]
    inbox = {folder.name for folder in folders if folder.role == FolderRole.INBOX}
    return sorted(found, key=lambda row: (row.name not in inbox, row.left_out, row.name))


def _all_mail(folders: Sequence[Folder]) -> Folder | None:
    """The folder that is read instead of INBOX and all others, if there is one."""
    if any(folder.role == FolderRole.INBOX and folder.uidvalidity is not None for folder in folders):
        return None
    found = (folder for folder in folders if folder.role == FolderRole.ALL and folder.uidvalidity is not None)
    return next(found, None)


def _stored_by_label(folder: Folder) -> Counter[str]:
    """How many stored messages have each label. One query."""
    count: Counter[str] = Counter()
    places = MessageUid.objects.filter(folder=folder, uidvalidity=F("folder__uidvalidity"))
    for text, number in places.values_list("labels").annotate(number=Count("message", distinct=True)):
        for label in text.split("\n"):
            count[label] += number
    return count


def _row(folder: Folder, *, stored: int, everything: Folder | None) -> FolderRow:
    left_out = folder.role in LEFT_OUT
    is_label = everything is not None and folder != everything and not left_out
    return FolderRow(
        name=folder.name,
        examined=folder.examined,
        stored=stored,
        synced_at=folder.synced_at,
        missing=folder.missing_since is not None,
        left_out=left_out,
        read_with=everything.name if everything and is_label else "",
    )
