"""Erases mail in the background because of whom it is with: batch by batch, and whoever comes next goes on wherever it
stopped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from mailaccounts import selectors
from mailaccounts.conf import settings
from mailaccounts.models import (
    AuditAction,
    Erasing,
    Forgotten,
    MailAccount,
    Message,
    Outgoing,
    OutgoingState,
    Participant,
    Preview,
    Why,
)
from mailaccounts.queue import Job, enqueue
from mailaccounts.services.limits import claims, lease
from mailaccounts.services.people import directory, justified
from mailaccounts.services.storing import removal, search
from mailaccounts.services.trail import audit

if TYPE_CHECKING:
    from collections.abc import Collection

    from django.db.models import QuerySet

AT_ONCE = 20  # that a tick queues, the oldest first
FREE = Q(done_at=None) & claims.free("worked_until")
ON_ITS_WAY = Q(state=OutgoingState.SENDING) | Q(state=OutgoingState.QUEUED, held_at=None)  # to somebody


def begin(patterns: Collection[str], *, why: Why, asked_by: Any, owner: Any = None) -> Erasing:
    """Queues the erasing of conversations with ``patterns`` that nobody known justifies any more, or of all mail with
    a PERSON; in the mailboxes of ``owner``, or in all. Call it in the transaction that makes it superfluous."""
    erasing = Erasing.objects.create(why=why, patterns=sorted(patterns), asked_by=asked_by, owner=owner)
    enqueue(Job.FORGET, erasing.pk)
    return erasing


def go_on(erasing_id: int, *, seconds: float | None = None) -> bool:
    """Erases as much as ``seconds`` allow (a sync's time, unless told); whether that was all.

    An account that a worker has just now is left for the next tick, and so is what is about to be sent. It isn't over
    while a sync is at work that began before: nobody knows whom that one still takes for known. Does nothing when
    another worker is at it.
    """
    budget = settings.sync_budget if seconds is None else seconds
    claim = claims.lasting(budget + settings.lease_seconds)
    if not Erasing.objects.filter(FREE, pk=erasing_id).update(worked_until=claim):
        return Erasing.objects.filter(pk=erasing_id).exclude(done_at=None).exists()
    erasing = Erasing.objects.select_related("asked_by").get(pk=erasing_id)
    try:
        complete = _syncs_are_over(erasing)
        complete &= _erase(erasing, until=time.monotonic() + budget)
        if erasing.why == Why.PERSON:
            _, written = _theirs(erasing)
            written.exclude(ON_ITS_WAY).only("pk").delete()
            complete &= not _is_anything_left(erasing)
        if complete:
            _conclude(erasing)
    finally:
        Erasing.objects.filter(pk=erasing_id).update(worked_until=None)
    return complete


def enqueue_due() -> int:
    """Queues what is to be erased and nobody is at; how many erasings that are."""
    due = list(Erasing.objects.filter(FREE).order_by("pk").values_list("pk", flat=True)[:AT_ONCE])
    for erasing_id in due:
        enqueue(Job.FORGET, erasing_id)
    return len(due)


def _syncs_are_over(erasing: Erasing) -> bool:
    """Whether none is at work any more that was when this was first asked."""
    at_work = MailAccount.objects.exclude(lease.FREE).values_list("pk", "lease_owner")
    found = [list(each) for each in at_work]
    erasing.syncs = [each for each in found if erasing.syncs is None or each in erasing.syncs]
    erasing.save(update_fields=["syncs"])
    return not erasing.syncs


def _theirs(erasing: Erasing) -> tuple[QuerySet[Participant], QuerySet[Outgoing]]:
    """Who stands for the person in which messages, and what was written to them. Under an address that was added again
    meanwhile, what there was before: whoever did that wants what comes from then on."""
    again = directory.added_again(erasing.patterns, since=erasing.created_at)
    gone = set(erasing.patterns).difference(again)
    people, written = selectors.taking_part(gone), selectors.written_to(gone)
    for pattern, at in again.items():
        people |= selectors.taking_part([pattern]).filter(message__stored_at__lte=at)
        written |= selectors.written_to([pattern]).filter(created_at__lte=at)
    return people, written


def _is_anything_left(erasing: Erasing) -> bool:
    """Of a person: what is about to be sent is waited for, with what it quotes."""
    return any(each.exists() for each in _theirs(erasing))


def _erase(erasing: Erasing, *, until: float) -> bool:
    """False when some of it has to wait."""
    complete = True
    scope = Q(owner=erasing.owner_id, handed_over_at=None) if erasing.owner_id else None
    threads = justified.candidates(erasing.patterns, accounts=scope)
    erasing.total, erasing.done = sum(map(len, threads.values())), 0
    erasing.save(update_fields=["total", "done"])
    for account, batch in justified.batches(threads):
        left = True
        while left:
            if time.monotonic() > until:
                return False
            with transaction.atomic():
                if removal.lock(account.pk) is None:
                    complete = False
                    break
                which = _superfluous(erasing, account, batch)
                if erasing.why == Why.PERSON:
                    which = _and_what_quotes(which)
                    _never_again(account, which)
                count = removal.remove(which)
                left = count == removal.MESSAGES
                _note(erasing, account, messages=count, threads=0 if left else len(batch))
    return complete


def _never_again(account: MailAccount, which: QuerySet[Message]) -> None:
    """Whoever else is in these messages would bring them back."""
    rows = (Forgotten(account=account, fingerprint=each) for each in which.values_list("fingerprint", flat=True))
    Forgotten.objects.bulk_create(rows, ignore_conflicts=True)


def _and_what_quotes(which: QuerySet[Message]) -> QuerySet[Message]:
    """Deletes drafts, and what is left of mail that was sent, that answer the first of these messages or pass them on;
    those messages, by their keys: which they are changes with every message that is sent meanwhile."""
    keys = _first(which)
    quoting = Outgoing.objects.filter(Q(in_reply_to__in=keys) | Q(forwards__in=keys))
    quoting.exclude(ON_ITS_WAY).only("pk").delete()
    return Message.objects.filter(pk__in=_first(which.filter(pk__in=keys)))


def _first(which: QuerySet[Message]) -> list[int]:
    return list(which.order_by("pk").values_list("pk", flat=True)[: removal.MESSAGES])


def _note(erasing: Erasing, account: MailAccount, *, messages: int, threads: int) -> None:
    before = erasing.erased.get(str(account.pk), 0)
    if messages:
        erasing.erased[str(account.pk)] = before + messages
    erasing.messages += messages
    erasing.done += threads
    erasing.save(update_fields=["erased", "messages", "done"])


def _superfluous(erasing: Erasing, account: MailAccount, threads: Collection[int]) -> QuerySet[Message]:
    if erasing.why == Why.PERSON:
        people, _ = _theirs(erasing)
        quoted = Q(in_reply_to=OuterRef("pk")) | Q(forwards=OuterRef("pk"))
        on_its_way = Exists(Outgoing.objects.filter(quoted, ON_ITS_WAY))
        return Message.objects.filter(~on_its_way, pk__in=people.filter(message__thread__in=threads).values("message"))
    return Message.objects.filter(thread__in=justified.unjustified(account, threads))


def _conclude(erasing: Erasing) -> None:
    """The owners may read what became of their mail; whom it was with, nobody may any more."""
    with transaction.atomic():
        for account in MailAccount.objects.filter(pk__in=erasing.erased):
            messages = erasing.erased[str(account.pk)]
            audit.note(AuditAction.ERASED, account, actor=erasing.asked_by, why=erasing.why, messages=messages)
        if erasing.why == Why.PERSON:
            directory.forget(erasing.patterns, since=erasing.created_at)
            search.index().forget()
            Preview.objects.all().delete()  # they name people, and are asked for again in a moment
        erasing.done_at, erasing.patterns = timezone.now(), []
        erasing.save(update_fields=["done_at", "patterns"])
