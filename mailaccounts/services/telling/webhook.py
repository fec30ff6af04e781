"""The webhook: tells a target of the operator's what happens here, at least once each, signed.

What is to be told is a row, written in the transaction of what it tells of: neither a worker that dies nor a target
that is away loses it. A job of its own delivers, one at a time and for less than a minute, so that a slow target holds
up nobody; a round ends with the first failure, unless the target has refused just this delivery.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import random
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import F
from django.utils import timezone

from mailaccounts.conf import settings
from mailaccounts.errors import MailAccountsError
from mailaccounts.mail.https import post
from mailaccounts.models import WebhookDelivery
from mailaccounts.queue import Job, enqueue
from mailaccounts.services.limits import shared
from mailaccounts.services.trail import beats

if TYPE_CHECKING:
    from django.db.models import QuerySet

TURN = "webhook"
BUDGET_SECONDS = 40  # of one round
ANSWER_SECONDS = 10  # that the target may take for all of its answer
MOST_BYTES = 4096  # of it that are read
SOON = 5  # seconds in which events share a job
FIRST_PAUSE, LONGEST_PAUSE = 30, 3600
GIVE_UP = timedelta(hours=24)
OF_THIS_ONE = {400, 409, 413, 415, 422}  # answers that say nothing of the next delivery (RFC 9110 §15.5)
CLAIM = timedelta(minutes=2)  # that a worker has a delivery for, before another may try
ROUND = timedelta(seconds=BUDGET_SECONDS + ANSWER_SECONDS)  # after which a round whose worker was lost is over

logger = logging.getLogger(__name__)


def note(event: str, **facts: Any) -> None:
    """Notes, in the transaction at hand, that the target is to be told of ``event``; nothing without a target."""
    if not settings.webhook_url:
        return
    WebhookDelivery.objects.create(event=event, payload=facts, next_at=timezone.now())
    if shared.add("mailaccounts:webhook", 1, SOON):
        enqueue(Job.WEBHOOK)  # the tick does so as well


def enqueue_due() -> None:
    """Queues a round, if anything is due."""
    if settings.webhook_url and _due().exists():
        enqueue(Job.WEBHOOK)


def deliver_due() -> int:
    """Delivers what is due, unless another worker does; how many were delivered."""
    if not settings.webhook_url or not beats.take_turn(TURN, every=ROUND):
        return 0
    started, delivered = time.monotonic(), 0
    try:
        while time.monotonic() - started < BUDGET_SECONDS:
            delivery = _claim()
            if delivery is None:
                break
            status = _deliver(delivery)
            if status not in OF_THIS_ONE and not _is_taken(status):
                break  # what is away now is away for the next one too
            delivered += _is_taken(status)
    finally:
        beats.forget(TURN)
    return delivered


def send_again(deliveries: QuerySet[WebhookDelivery]) -> int:
    """Has these delivered once more, whatever became of them; how many. They are the same to their target: ``id``."""
    fresh = {"next_at": timezone.now(), "delivered_at": None, "given_up_at": None, "attempts": 0}
    count = deliveries.update(**fresh, created_at=timezone.now())
    enqueue(Job.WEBHOOK)
    return count


def forget_old() -> int:
    """Forgets what was delivered, or given up, more than WEBHOOK_DAYS ago."""
    over = timezone.now() - timedelta(days=settings.webhook_days)
    count, _ = WebhookDelivery.objects.filter(next_at__isnull=True, created_at__lt=over).delete()
    return count


def is_given_up() -> bool:
    """Whether a delivery was given up within a day, and none has worked since."""
    last = WebhookDelivery.objects.filter(given_up_at__gt=timezone.now() - GIVE_UP).order_by("-given_up_at").first()
    if last is None or last.given_up_at is None:
        return False
    return not WebhookDelivery.objects.filter(delivered_at__gt=last.given_up_at).exists()


def signature(body: bytes, *, at: int) -> str:
    """The header that proves the body and its time: one ``v1`` for each secret, so that a target may go over from one
    to the next without a pause."""
    signed = str(at).encode() + b"." + body
    proofs = [hmac.new(each.encode(), signed, hashlib.sha256).hexdigest() for each in settings.webhook_secrets]
    return ",".join([f"t={at}", *(f"v1={proof}" for proof in proofs)])


def _due() -> QuerySet[WebhookDelivery]:
    return WebhookDelivery.objects.filter(next_at__lte=timezone.now())


def _claim() -> WebhookDelivery | None:
    """The delivery whose turn it is, for this worker alone; None when there is none."""
    for pk in list(_due().order_by("next_at").values_list("pk", flat=True)[:5]):
        if _due().filter(pk=pk).update(next_at=timezone.now() + CLAIM, attempts=F("attempts") + 1):
            return WebhookDelivery.objects.get(pk=pk)
    return None


def _is_taken(status: int | None) -> bool:
    """Whether the target has taken it, by its answer."""
    return status is not None and 200 <= status < 300


def _deliver(delivery: WebhookDelivery) -> int | None:
    """Tries once; what the target answered, None where there was no answer."""
    body = json.dumps(
        {
            "id": str(delivery.pk),
            "event": delivery.event,
            "created_at": delivery.created_at.isoformat(),
            "data": delivery.payload,
        },
        separators=(",", ":"),
    ).encode()
    headers = {
        "Content-Type": "application/json",
        "Mailaccounts-Delivery": str(delivery.pk),
        "Mailaccounts-Signature": signature(body, at=int(time.time())),
    }
    status, code = None, ""
    try:
        status = post(
            settings.webhook_url,
            body,
            headers=headers,
            network=settings.network,
            deadline=time.monotonic() + ANSWER_SECONDS,
            most_bytes=MOST_BYTES,
        )
    except MailAccountsError as error:
        code = error.code
    now = timezone.now()
    told = {"last_status": status, "last_code": code}
    row = WebhookDelivery.objects.filter(pk=delivery.pk)
    if _is_taken(status):
        row.update(**told, delivered_at=now, next_at=None)
        return status
    logger.warning("webhook %s: attempt %d: %s", delivery.pk, delivery.attempts, status or code)
    if now - delivery.created_at > GIVE_UP:
        row.update(**told, given_up_at=now, next_at=None)
    else:
        pause = min(FIRST_PAUSE * 2 ** min(delivery.attempts - 1, 10), LONGEST_PAUSE)
        pause *= random.uniform(0.8, 1.2)  # noqa: S311 - spreads load
        row.update(**told, next_at=now + timedelta(seconds=pause))
    return status
