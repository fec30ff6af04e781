"""Where messages lie that were moved from here: what the server told of it holds until a sync has looked.

Until then such a message has a place it has left, which says where it is ``moving_to``, and, where the server told it
(COPYUID, RFC 4315 §3), a place in that folder above its ``last_uid``. A sync drops both unless it finds them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F

from mailaccounts.models import UNFINISHED, Act, Folder, MailAction, MessageUid
from mailaccounts.services.limits import lease
from mailaccounts.services.storing import places, summaries
from mailaccounts.services.storing.told import TOLD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.db.models import QuerySet

    from mailaccounts.mail.imap import ImapSession
    from mailaccounts.mail.imap_writer import Copied
    from mailaccounts.services.limits.lease import Lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Departed:
    """What became of the messages of a folder that were moved away: ``gone`` are the UIDs that aren't there any more,
    ``stayed`` those that are after all."""

    gone: Sequence[int] = ()
    stayed: Sequence[int] = ()


def note(target: Folder, lying: Sequence[MessageUid], copied: Mapping[int, Copied]) -> set[int]:
    """Notes where the server says that the messages of an action are now, which were ``lying`` elsewhere; of which it
    does. Called with the account's row locked.

    A UID that it names twice says nothing, and one that a sync has been past (RFC 9051 §2.3.1.1: new ones are higher)
    belongs to another message, or to one that the sync has found.
    """
    target.refresh_from_db(fields=["uidvalidity", "last_uid"])
    times = Counter(copied.values())
    there = []
    for place in MessageUid.objects.filter(pk__in=[place.pk for place in lying]):
        new = copied.get(place.uid)
        if new and times[new] == 1 and new.uidvalidity == target.uidvalidity and new.uid > target.last_uid:
            onward = None if place.moving_to_id == target.pk else place.moving_to_id
            there.append(
                MessageUid(
                    folder=target, message_id=place.message_id, uidvalidity=new.uidvalidity, uid=new.uid,
                    flags=place.flags, seen=place.seen, labels=place.labels, moving_to_id=onward,
                )
            )  # fmt: skip
    MessageUid.objects.bulk_create(there, ignore_conflicts=True)
    told = {place.message_id for place in there}
    left = [place.pk for place in lying if place.message_id in told or place.moving_to_id is None]
    MessageUid.objects.filter(pk__in=left).update(moving_to=target)
    return told


def forget_told(folder: Folder, *, held: Lease) -> None:
    """Drops what servers told of places in the folder, which is about to be seen: LeaseLost as for any write."""
    told = MessageUid.objects.filter(TOLD, folder=folder)
    if uids := list(told.values_list("uid", flat=True)):
        with transaction.atomic():
            lease.renew(held)
            places.drop(folder, uids)


def departed(session: ImapSession, folder: Folder) -> Departed:
    """Asks the open folder for messages that were moved away."""
    uids = list(_left(folder).values_list("uid", flat=True))
    if not uids:
        return Departed()
    there = session.existing(uids)
    return Departed(gone=[uid for uid in uids if uid not in there], stayed=sorted(there))


def stay(folder: Folder, uids: Sequence[int]) -> int:
    """Shows messages that stayed where they are, unless they are to be moved again by now; how many."""
    if not uids:
        return 0
    stayed = list(_left(folder).filter(uid__in=uids))
    for place in stayed:
        MessageUid.objects.filter(TOLD, message=place.message_id, folder=place.moving_to_id).delete()
    MessageUid.objects.filter(pk__in=[place.pk for place in stayed]).update(moving_to=None)
    summaries.refresh_of(folder.account_id, [place.message_id for place in stayed])
    return len(stayed)


def _left(folder: Folder) -> QuerySet[MessageUid]:
    """The places in the folder that messages were moved from, without those that are yet to be."""
    rows = MessageUid.objects.filter(folder=folder, uidvalidity=F("folder__uidvalidity"), moving_to__isnull=False)
    if not rows.exists():
        return rows.none()
    waiting = MailAction.objects.filter(state__in=UNFINISHED, act=Act.MOVE, folder=folder)
    yet = {message for messages in waiting.values_list("messages", flat=True) for message in messages}
    return rows.exclude(message__id__among=yet).order_by("uid")
