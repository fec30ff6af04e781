"""Sets aside messages that make trouble, and tries them again a few times: the others go on meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from mailaccounts.models import Fault, Quarantined
from mailaccounts.rules.backoff import again_after
from mailaccounts.services.limits.lease import renew
from mailaccounts.services.syncing.due import sync_soon

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from django.db.models import OuterRef, QuerySet

    from mailaccounts.models import Folder, MailAccount
    from mailaccounts.services.limits.lease import Lease

AT_A_TIME = 10  # messages of one folder tried again in one sync: a server that refuses them all goes on being asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Troublesome:
    """A message that can't be had now. ``size`` in octets, 0 when that isn't known; ``fingerprint`` is that of the
    stored message it is, "" when nothing of it is stored."""

    uid: int
    fault: Fault
    size: int = 0
    received_at: datetime | None = None
    fingerprint: str = ""


def put(folder_id: int, uidvalidity: int, found: Sequence[Troublesome], *, rows: dict[str, int]) -> None:
    """Remembers what makes trouble; ``rows`` are the stored messages by fingerprint. Two queries, in the transaction
    that moves the cursor past these messages: a worker that is lost before forgets none of them."""
    last = {each.uid: each for each in found}
    if not last:
        return
    there = Quarantined.objects.filter(folder=folder_id, uidvalidity=uidvalidity, uid__in=last)
    attempts = dict(there.values_list("uid", "attempts"))
    now = timezone.now()
    quarantined = []
    for each in last.values():
        tried = attempts.get(each.uid, 0) + 1
        pause = again_after(tried)
        quarantined.append(
            Quarantined(
                folder_id=folder_id,
                uidvalidity=uidvalidity,
                uid=each.uid,
                message_id=rows.get(each.fingerprint),
                fault=each.fault,
                size=each.size,
                received_at=each.received_at,
                attempts=tried,
                next_attempt_at=now + pause if pause else None,
            )
        )
    Quarantined.objects.bulk_create(
        quarantined,
        update_conflicts=True,
        unique_fields=["folder", "uidvalidity", "uid"],
        update_fields=["message", "fault", "size", "received_at", "attempts", "next_attempt_at"],
    )


def uids_of(folder: Folder) -> set[int]:
    """The UIDs that make trouble in a folder."""
    rows = folder.quarantined.filter(uidvalidity=folder.uidvalidity or 0)
    return set(rows.values_list("uid", flat=True))


def without_row(folder: Folder, uids: Collection[int]) -> frozenset[int]:
    """Those of the UIDs that make trouble of which nothing is stored."""
    rows = folder.quarantined.filter(uidvalidity=folder.uidvalidity or 0, uid__in=uids, message=None)
    return frozenset(rows.values_list("uid", flat=True))


def unfetchable(folder: Folder, uidvalidity: int) -> set[int]:
    """The UIDs of which not even the headers could be had: asking for them may end the connection."""
    rows = folder.quarantined.filter(uidvalidity=uidvalidity, fault=Fault.UNFETCHABLE, message=None)
    return set(rows.values_list("uid", flat=True))


def clear(folder: Folder, uids: Collection[int], *, held: Lease) -> None:
    """Forgets ``uids``: they made no trouble this time, or are gone. LeaseLost when another worker has the account."""
    with transaction.atomic():
        renew(held)
        folder.quarantined.filter(uidvalidity=folder.uidvalidity or 0, uid__in=uids).delete()


def due(account_id: int | OuterRef) -> QuerySet[Quarantined]:
    """The messages of an account to try again now."""
    return Quarantined.objects.filter(
        folder__account=account_id, uidvalidity=F("folder__uidvalidity"), next_attempt_at__lte=timezone.now()
    )


def due_of(account: MailAccount) -> dict[int, list[int]]:
    """The UIDs to try again now, by folder. One query."""
    found: dict[int, list[int]] = {}
    for folder_id, uid in due(account.pk).order_by("next_attempt_at", "-uid").values_list("folder", "uid"):
        uids = found.setdefault(folder_id, [])
        if len(uids) < AT_A_TIME:
            uids.append(uid)
    return found


def release(quarantined: QuerySet[Quarantined]) -> int:
    """Has messages tried again as if for the first time, by a sync of each account that is queued at once; returns
    how many."""
    waiting = list(quarantined.select_related("folder__account"))
    ids = [each.pk for each in waiting]
    released = Quarantined.objects.filter(pk__in=ids).update(attempts=0, next_attempt_at=timezone.now())
    for account in {each.folder.account_id: each.folder.account for each in waiting}.values():
        sync_soon(account)
    return released
