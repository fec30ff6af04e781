"""Where stored messages lie, kept in step with the server.

What writes is called inside a transaction that has renewed the lease, which locks the account's row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from mailaccounts.models import Message, MessageUid
from mailaccounts.rules import flags, labels
from mailaccounts.services.storing import summaries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from mailaccounts.mail.types import Marks
    from mailaccounts.models import Folder

Item = TypeVar("Item")

ROWS = 1000  # of one query
NOWHERE = 0  # a UIDVALIDITY that no server has (RFC 9051 §9): of places whose UIDs mean nothing any more


def stored_uids(folder: Folder) -> list[int]:
    """The UIDs of the stored messages in the folder, ascending. One query."""
    return list(MessageUid.objects.filter(_now(folder)).order_by("uid").values_list("uid", flat=True))


def write_marks(folder: Folder, marks: Mapping[int, Marks]) -> int:
    """Writes the flags and labels of the messages at these UIDs; how many had others. A few queries for every ``ROWS``
    of them."""
    changed = 0
    for uids in portions(sorted(marks)):
        other = []
        for place in MessageUid.objects.filter(_now(folder), uid__in=uids):
            mark = marks[place.uid]
            found = flags.text(mark.flags), place.labels if mark.labels is None else labels.text(mark.labels)
            if found != (place.flags, place.labels):
                place.flags, place.labels = found
                place.seen = flags.is_seen(mark.flags)
                other.append(place)
        if other:
            MessageUid.objects.bulk_create(
                other, update_conflicts=True, unique_fields=["folder", "uidvalidity", "uid"],
                update_fields=["flags", "seen", "labels"],
            )  # fmt: skip
            summaries.refresh_of(folder.account_id, [place.message_id for place in other])
        changed += len(other)
    return changed


def drop(folder: Folder, uids: Sequence[int]) -> int:
    """Forgets the places at these UIDs, which were expunged; how many there were. A message that lies nowhere any more
    is marked as gone. A few queries for every ``ROWS`` of them."""
    return sum(_drop(folder, _now(folder) & Q(uid__in=portion)) for portion in portions(uids))


def drop_all(folder: Folder, *, since: date | None = None) -> int:
    """Forgets every place in a folder that was deleted or isn't read any more; ``since`` as in ``drop_old``."""
    return _drop(folder, Q(folder=folder), since=since)


def drop_old(folder: Folder, *, since: date | None) -> int:
    """Forgets places of an earlier UIDVALIDITY, which mean nothing now that the folder has been gone through.

    A message from before ``since`` was not looked for, so that it wasn't found says nothing: it isn't marked as gone.
    """
    return _drop(folder, Q(folder=folder) & ~_now(folder), since=since)


def thin_out(folder: Folder) -> None:
    """Forgets places under the present UIDVALIDITY of messages that have one of an earlier: where the next comes
    before the folder has been gone through, one place is enough to know that they were here."""
    earlier = MessageUid.objects.filter(Q(folder=folder) & ~_now(folder))
    MessageUid.objects.filter(_now(folder), message__in=earlier.values("message")).delete()


def set_aside(folder: Folder) -> None:
    """Keeps the places of a folder whose UIDs begin again under the same UIDVALIDITY apart from those to come."""
    before = MessageUid.objects.filter(folder=folder, uidvalidity=NOWHERE, uid=OuterRef("uid"))
    _drop(folder, _now(folder) & Q(Exists(before)))
    MessageUid.objects.filter(_now(folder)).update(uidvalidity=NOWHERE)


def _now(folder: Folder) -> Q:
    """Its places under the UIDVALIDITY it has now."""
    return Q(folder=folder, uidvalidity=folder.uidvalidity)


def portions(items: Sequence[Item], size: int = ROWS) -> Iterator[Sequence[Item]]:
    """Cuts ``items`` into what one query may name."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _drop(folder: Folder, which: Q, *, since: date | None = None) -> int:
    places = MessageUid.objects.filter(which)
    messages = list(places.values_list("message_id", flat=True).distinct())
    if not messages:
        return 0
    dropped, _ = places.delete()
    elsewhere = MessageUid.objects.filter(message=OuterRef("pk"))
    for ids in portions(messages):
        gone = Message.objects.filter(pk__in=ids, gone_since=None).exclude(Exists(elsewhere))
        if since is not None:  # a day later: the server's day of arrival is that of a time zone of its own
            gone = gone.filter(received_at__date__gt=since)
        gone.update(gone_since=timezone.now())
        summaries.refresh_of(folder.account_id, ids)
    return dropped
