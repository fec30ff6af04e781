"""Follows the host's directory: who becomes known is looked for in mail of the past, and of the mail that is stored
with whomever it changed for the host is told anew."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q
from django.utils import timezone

from mailaccounts.conf import settings
from mailaccounts.models import ERASING, AccountStatus, DirectoryChange, Folder, MailAccount, Message
from mailaccounts.queue import Job, enqueue
from mailaccounts.selectors import taking_part
from mailaccounts.services.limits import claims
from mailaccounts.signals import people_changed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

BATCH = 200  # messages that the host is told of at once
AT_ONCE = 20  # changes that a tick queues, the oldest first
KEPT = timedelta(days=7)  # of a change that everybody has followed

FREE = Q(told_at=None) & claims.free("worked_until")
AT_WORK = Q(looks_back=True, begun=True, status__in=(AccountStatus.NEW, AccountStatus.OK, AccountStatus.WAITING))


def concerns(owner: Any) -> Q:
    """The changes that the mailboxes of ``owner`` follow."""
    return Q(owner=None) | Q(owner=owner)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """Of ``mailboxes`` that look back and can be reached, ``done`` have gone through their mail of the past."""

    mailboxes: int
    done: int

    @property
    def is_over(self) -> bool:
        return self.done >= self.mailboxes


def added(patterns: Collection[str], *, owner: Any = None) -> DirectoryChange | None:
    """The host knows ``patterns`` (addresses, in each spelling that mail may have, or ``@domain``) from now on: they
    are looked for, in the mailboxes of ``owner`` if only there they count anew. Call it in the transaction that makes
    it so; one call for many of them."""
    return _changed(patterns, added=True, owner=owner)


def removed(patterns: Collection[str]) -> DirectoryChange | None:
    """The host doesn't know ``patterns`` any more: it is told anew of the mail that is stored with them."""
    return _changed(patterns, added=False)


def _changed(patterns: Collection[str], *, added: bool, owner: Any = None) -> DirectoryChange | None:
    if not patterns:
        return None
    # Numbers in the order of commits: mailboxes note how far they have come.
    DirectoryChange.objects.select_for_update().order_by("-pk").first()
    change = DirectoryChange.objects.create(patterns=sorted(patterns), added=added, owner=owner)
    enqueue(Job.RETELL, change.pk)
    if added:
        transaction.on_commit(partial(_make_due, _mailboxes_of(owner)))
    return change


def _mailboxes_of(owner: Any) -> Q:
    return AT_WORK if owner is None else AT_WORK & Q(owner=owner)


def _make_due(which: Q) -> None:
    now = timezone.now()
    MailAccount.objects.filter(which, next_sync_at__gt=now).update(next_sync_at=now)
    enqueue(Job.TICK)


def pending(account: MailAccount) -> list[DirectoryChange]:
    """Whom the account's mail of the past has not been looked through for, oldest first."""
    found = DirectoryChange.objects.filter(concerns(account.owner_id), added=True, pk__gt=account.looked_for)
    return list(found.order_by("pk"))


def looked_for_by(owner: Any) -> list[tuple[str, Looking]]:
    """Whom the mailboxes of ``owner`` are still to look for because they aren't blocked any more, and how far they
    are. A query for each."""
    changes = DirectoryChange.objects.filter(owner=owner, added=True).order_by("pk")
    found = ((", ".join(each.patterns), looking([each.pk], owner=owner)) for each in changes)
    return [(whom, looking) for whom, looking in found if not looking.is_over]


def looking(change_ids: Iterable[int], *, owner: Any = None) -> Looking:
    """How far mailboxes, or those of ``owner``, are with looking for these changes. One query."""
    last = max(change_ids, default=0)
    joining = Folder.objects.filter(account=OuterRef("pk")).exclude(joining="")
    found = Q(~Exists(joining), looked_for__gte=last)
    mailboxes = MailAccount.objects.filter(_mailboxes_of(owner))
    return Looking(**mailboxes.aggregate(mailboxes=Count("pk"), done=Count("pk", filter=found)))


def retell(change_id: int, *, seconds: float | None = None) -> bool:
    """Sends ``people_changed`` for the stored messages with those whom the change is about, as many as ``seconds``
    allow (a sync's time, unless told); whether that were all. Does nothing when another worker is at it."""
    budget = settings.sync_budget if seconds is None else seconds
    claim = claims.lasting(budget + settings.lease_seconds)
    if not DirectoryChange.objects.filter(FREE, pk=change_id).update(worked_until=claim):
        return DirectoryChange.objects.filter(pk=change_id).exclude(told_at=None).exists()
    until = time.monotonic() + budget
    change = DirectoryChange.objects.get(pk=change_id)
    try:
        while batch := _next_batch(change):
            if time.monotonic() > until:
                return False
            people_changed.send(Message, message_ids=batch)
            change.told_to = batch[-1]
            change.save(update_fields=["told_to"])
        change.told_at = timezone.now()
        change.save(update_fields=["told_at"])
    finally:
        DirectoryChange.objects.filter(pk=change_id).update(worked_until=None)
    return True


def _next_batch(change: DirectoryChange) -> list[int]:
    theirs = taking_part(change.patterns).filter(message__gt=change.told_to)
    return list(theirs.values_list("message_id", flat=True).distinct().order_by("message")[:BATCH])


def enqueue_due() -> int:
    """Queues what the host is still to be told and nobody is at, and forgets what everybody has followed; how many
    changes are queued."""
    due = list(DirectoryChange.objects.filter(FREE).order_by("pk").values_list("pk", flat=True)[:AT_ONCE])
    for change_id in due:
        enqueue(Job.RETELL, change_id)
    waiting = MailAccount.objects.filter(looked_for__lt=OuterRef("pk")).exclude(status_code=ERASING)
    theirs = Q(owner=None) & Exists(waiting) | Q(owner__isnull=False) & Exists(waiting.filter(owner=OuterRef("owner")))
    old = DirectoryChange.objects.filter(told_at__isnull=False, created_at__lt=timezone.now() - KEPT)
    old.filter(Q(added=False) | ~Q(theirs)).delete()
    return len(due)


def added_again(patterns: Collection[str], *, since: datetime) -> dict[str, datetime]:
    """Those of ``patterns`` that the host has come to know ``since`` and still does, and when that was."""
    found: dict[str, datetime] = {}
    for change in DirectoryChange.objects.filter(created_at__gt=since).order_by("pk"):
        for each in set(patterns).intersection(change.patterns):
            if not change.added:
                found.pop(each, None)
            elif change.owner_id is None:  # else somebody doesn't block them any more
                found.setdefault(each, change.created_at)
    return found


def forget(patterns: Collection[str], *, since: datetime) -> None:
    """Takes ``patterns`` out of all changes: they are of somebody whose data is erased. Who was added again ``since``
    is yet to be looked for."""
    gone, again = set(patterns), added_again(patterns, since=since).keys()
    for change in DirectoryChange.objects.all():
        dropped = gone - again if change.created_at > since else gone
        if left := sorted(set(change.patterns) - dropped):
            DirectoryChange.objects.filter(pk=change.pk).update(patterns=left)
        else:
            change.delete()
