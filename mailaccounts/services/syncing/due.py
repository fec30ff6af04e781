"""Finds the accounts whose turn has come, or makes it one's turn.

Most accounts that are due have nothing new, so a job takes a portion of them. One that may take its time, or has
lost a worker, gets a job of its own and keeps nobody waiting.
"""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Value, Window
from django.db.models.functions import Lower, RowNumber, StrIndex, Substr
from django.utils import timezone

from mailaccounts.models import AccountStatus, MailAccount, Preview
from mailaccounts.queue import Job, enqueue, waiting, workers
from mailaccounts.services.connecting.departures import of_departed_owners
from mailaccounts.services.limits.lease import AT_WORK, BEING_ERASED, BEING_HANDED_OVER, FREE, WAITING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from django.db.models import QuerySet

FULL = 100  # jobs: with as many waiting, accounts that are due had better stay in the table than in the queue
PORTION = 100  # accounts to a job: each of its threads connects to the database once
LOST_AFTER = timedelta(minutes=15)  # a queued account that nobody synced by then is due again

COUNTED = WAITING & Q(Exists(Preview.objects.filter(account=OuterRef("pk"), ended="")))  # for its owner to see
HAS_WORK = AT_WORK | BEING_ERASED | BEING_HANDED_OVER | COUNTED

# Accounts at one domain of one mail server: whoever has ten thousand of them doesn't make others wait for all.
TENANT = (F("imap_host"), Lower(Substr("address", StrIndex("address", Value("@")))))


def enqueue_due() -> int:
    """Queues jobs for the accounts that are due and that no worker has, as many as there is room for; returns how many
    accounts that are.

    Tenants take turns, and among each one's accounts the longest due goes first. A disconnected account that is due is
    one to be erased or handed over. Those of deactivated users are about to be disconnected, paused ones wait. Moving
    ``next_sync_at`` in the same transaction keeps a second tick from queueing an account again.
    """
    room = max(FULL - waiting(), 0)
    now = timezone.now()
    ids = list(_in_turn(now)[: room * PORTION])
    with transaction.atomic():
        due = MailAccount.objects.filter(FREE, pk__in=ids, next_sync_at__lte=now)
        found = {account.pk: account for account in due.select_for_update(skip_locked=True)}
        return _queue([found[pk] for pk in ids if pk in found], room=room)


def go_on(account_id: int) -> None:
    """Queues the rest of a job that ran out of time, unless a tick was faster: two jobs for one account would each
    queue another, and so on until there is no room for anybody else's."""
    due = MailAccount.objects.filter(FREE, HAS_WORK, pk=account_id, next_sync_at__lte=timezone.now())
    with transaction.atomic():
        _queue(list(due.select_for_update(skip_locked=True)))


def put_back(account_ids: Collection[int]) -> None:
    """Accounts that were queued, and whose job came to its end before their turn, are due again."""
    now = timezone.now()
    queued = MailAccount.objects.filter(FREE, pk__in=account_ids, next_sync_at__range=(now, now + LOST_AFTER))
    queued.update(next_sync_at=now)


def sync_soon(account: MailAccount) -> None:
    """Queues a sync because somebody wants it now. Until a worker has it, the account is due, which its page shows;
    asking again meanwhile queues no more."""
    now = timezone.now()
    with transaction.atomic():
        if MailAccount.objects.filter(AT_WORK, pk=account.pk).exclude(next_sync_at__lte=now).update(next_sync_at=now):
            enqueue(Job.SYNC, account.pk)


def _in_turn(now: datetime) -> QuerySet[Any, int]:
    """The accounts that are due: first each tenant's first, then each one's second …"""
    due = MailAccount.objects.filter(FREE, HAS_WORK, ~of_departed_owners(), next_sync_at__lte=now)
    turn = Window(RowNumber(), partition_by=TENANT, order_by=[F("next_sync_at").asc(), F("pk").asc()])
    return due.annotate(turn=turn).order_by("turn", "next_sync_at", "pk").values_list("pk", flat=True)


def _queue(accounts: Sequence[MailAccount], *, room: int = 1) -> int:
    """Queues the first of these accounts in ``room`` jobs at most; returns how many accounts."""
    together = sum(account.status != AccountStatus.DISCONNECTED and not _goes_alone(account) for account in accounts)
    size = ceil(together / max(min(_portions(together), room), 1))
    jobs: list[tuple[Job, list[int]]] = []
    portion: list[int] = []
    for account in accounts:
        if account.is_erasing:
            jobs.append((Job.ERASE, [account.pk]))
        elif account.is_being_handed_over:
            jobs.append((Job.HAND_OVER, [account.pk]))
        elif not account.begun:
            jobs.append((Job.PREVIEW, [account.pk]))
        elif _goes_alone(account):
            jobs.append((Job.SYNC, [account.pk]))
        else:
            if len(portion) % size == 0:
                portion = []
                jobs.append((Job.SYNC, portion))
            portion.append(account.pk)
    queued = [pk for _, ids in jobs[:room] for pk in ids]
    MailAccount.objects.filter(pk__in=queued).update(next_sync_at=timezone.now() + LOST_AFTER)
    for job, ids in jobs[:room]:
        enqueue(job, *ids)
    return len(queued)


def _portions(count: int) -> int:
    """How many portions so many accounts make: all alike, and as many for each worker, so that none has the most to do
    and none has nothing left to do."""
    portions = ceil(count / PORTION)
    return portions if portions == 1 else ceil(portions / workers()) * workers()


def _goes_alone(account: MailAccount) -> bool:
    """Whether a sync may take as long as one may, or whoever had the account last was lost over it."""
    return account.status == AccountStatus.NEW or not account.begun or bool(account.lease_owner)
