"""What changed of the messages that are stored: flags, labels, and which were expunged. Of others nothing is kept.

Three ways lead to the same result, by what the server can tell (rules.sync_plan.look).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from mailaccounts.mail.types import Marks
from mailaccounts.models import Folder
from mailaccounts.rules.sync_plan import Changed, Compare, Resync, compared_now, is_alarming, within
from mailaccounts.services.limits import lease
from mailaccounts.services.storing import moved, places
from mailaccounts.services.storing.moved import Departed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailaccounts.mail.imap import ImapSession
    from mailaccounts.mail.types import FolderState
    from mailaccounts.rules.sync_plan import Look
    from mailaccounts.services.syncing.work import Work


@dataclass(slots=True, kw_only=True)
class Changes:
    """Flags and labels by UID, also such as are stored already; the UIDs that are gone; what became of the messages
    that were moved away; and columns of the folder to write."""

    marks: Mapping[int, Marks] = field(default_factory=dict)
    gone: Sequence[int] = ()
    departed: Departed = field(default_factory=Departed)
    columns: dict[str, Any] = field(default_factory=dict)


def find(session: ImapSession, folder: Folder, seen: FolderState, look: Look) -> Changes:
    """Asks the open folder for what ``look`` says is to be found out."""
    if isinstance(look, Changed) and look.modseq is None and not look.expunged:
        return Changes()
    stored = places.stored_uids(folder)
    match look:
        case Resync():
            changes = Changes(
                marks={uid: Marks(flags=seen.changed[uid]) for uid in stored if uid in seen.changed},
                gone=within(stored, seen.vanished),
            )
        case Changed():
            marks = session.marks(stored, changed_since=look.modseq) if look.modseq is not None else {}
            changes = Changes(marks=marks, gone=_missing(session, stored) if look.expunged else ())
        case Compare():
            chosen, below = (stored, 0) if look.everything else compared_now(stored, below=folder.flags_below)
            marks = session.marks(chosen) if chosen else {}
            gone = _missing(session, stored) if look.expunged else [uid for uid in chosen if uid not in marks]
            changes = Changes(marks=marks, gone=gone, columns={"flags_at": timezone.now(), "flags_below": below})
    if is_alarming(gone=len(changes.gone), stored=len(stored)):
        there = session.marks(changes.gone)  # another command, which looks at the messages themselves
        changes.gone = [uid for uid in changes.gone if uid not in there]
    return changes


def settle(work: Work, folder: Folder, changes: Changes, **columns: Any) -> None:
    """Writes the changes and ``columns``, the folder's figures that they belong to, in one transaction. LeaseLost,
    with nothing written, when another worker has the account."""
    columns |= changes.columns
    with transaction.atomic():
        lease.renew(work.held)
        changed = places.write_marks(folder, changes.marks)
        changed += places.drop(folder, sorted({*changes.gone, *changes.departed.gone}))
        changed += moved.stay(folder, changes.departed.stayed)
        if changed:
            columns["changed_at"] = timezone.now()
        Folder.objects.filter(pk=folder.pk, uidvalidity=folder.uidvalidity).update(**columns)
    for name, value in columns.items():
        setattr(folder, name, value)


def _missing(session: ImapSession, stored: Sequence[int]) -> list[int]:
    there = session.existing(stored) if stored else set()
    return [uid for uid in stored if uid not in there]
