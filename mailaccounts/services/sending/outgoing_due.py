"""Outgoing messages that a tick takes care of: their turn has come, or their worker was lost."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from mailaccounts.conf import settings
from mailaccounts.errors import DeliveryUncertain, NotSentInTime, PerhapsSentSince
from mailaccounts.models import EDITABLE, Credential, CredentialState, Enclosed, Outgoing, OutgoingState
from mailaccounts.queue import Job, enqueue
from mailaccounts.services.sending.outgoing import (
    FREE,
    LET_GO,
    QUEUED_FOR,
    RUNNING,
    TO_DO,
    TO_FETCH,
    WAITS_FOR_AUTHOR,
    step,
    trouble,
)

AT_ONCE = 100
AWAITS_FILES = Q(state__in=EDITABLE) & Q(Exists(Enclosed.objects.filter(outgoing=OuterRef("pk"), **TO_FETCH)))


def enqueue_due() -> int:
    """Queues the messages whose turn has come, those that waited for their account to be signed in anew, and drafts
    whose files nobody has fetched; how many. Those of paused accounts wait on.

    Moving ``next_at`` in the same transaction keeps a second tick from queueing one again.
    """
    now = timezone.now()
    in_use = Credential.objects.filter(account=OuterRef("account"), state=CredentialState.ACTIVE)
    another = in_use.filter(~Q(pk=OuterRef("held_with")) | Q(proven_at__gt=OuterRef("held_at")))
    signed_in = Q(held_with__isnull=True) & Exists(in_use) | Q(held_with__isnull=False) & Exists(another)
    with transaction.atomic():
        turn = Q(next_at__lte=now) | Q(held_at__isnull=False) & signed_in
        due = Outgoing.objects.filter(FREE, TO_DO | AWAITS_FILES, RUNNING, turn).select_for_update(
            skip_locked=True, of=("self",)
        )
        found = dict(due.order_by("created_at").values_list("pk", "state")[:AT_ONCE])
        Outgoing.objects.filter(pk__in=found).update(next_at=now + QUEUED_FOR, held_at=None)
        for outgoing_id, state in found.items():
            enqueue(Job.ENCLOSE if state in EDITABLE else Job.SEND, outgoing_id)
    return len(found)


def note_lost() -> int:
    """What was being handed over when its worker was lost may have been sent; how many messages."""
    rows = Outgoing.objects.filter(state=OutgoingState.SENDING, worker_until__lt=Now()).select_related("account")
    return sum(_uncertain(each) for each in rows.defer("raw", "body_text", "body_html")[:AT_ONCE])


def give_up() -> int:
    """What couldn't be sent for SEND_DAYS is nothing that anybody still expects; how many messages."""
    error = NotSentInTime(days=settings.send_days)
    cutoff = timezone.now() - timedelta(days=settings.send_days)
    late = Outgoing.objects.filter(FREE, state=OutgoingState.QUEUED, queued_at__lt=cutoff)
    columns = {**trouble(error), **LET_GO, **WAITS_FOR_AUTHOR, "next_at": None, "held_at": None}
    return sum(
        step(late.filter(pk=each.pk), each, OutgoingState.FAILED, **columns)
        for each in late.only("pk", "account_id")[:AT_ONCE]
    )


def doubt_all() -> int:
    """After the database was restored from an older copy: what waited to be sent then may have been sent since. It is
    looked for in Sent, and never sent by itself; how many messages."""
    error = PerhapsSentSince()
    columns = {
        **trouble(error),
        **LET_GO,
        "next_at": timezone.now(),
        "failures": 0,
        "held_at": None,
        "held_with": None,
    }
    rows = Outgoing.objects.filter(state__in=(OutgoingState.QUEUED, OutgoingState.SENDING))
    return sum(
        step(rows.filter(pk=each.pk), each, OutgoingState.UNCERTAIN, **columns)
        for each in rows.only("pk", "account_id")
    )


def _uncertain(lost: Outgoing) -> bool:
    """The worker's token stays: should it live after all, what it knows still counts."""
    error = DeliveryUncertain(host=lost.account.smtp_host)
    rows = Outgoing.objects.filter(pk=lost.pk, state=OutgoingState.SENDING, worker_until__lt=Now())
    columns = {"next_at": timezone.now(), "failures": 0, "worker_until": None}
    return step(rows, lost, OutgoingState.UNCERTAIN, **columns, **trouble(error))
