"""Outgoing messages for tests: written, queued, and worked off as workers do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from mailaccounts import tasks
from mailaccounts.mail.compose import Mailbox
from mailaccounts.models import MailAccount, Outgoing
from mailaccounts.services.sending import drafts, outbox
from mailaccounts.services.sending.drafts import Written

SECRET_WORDS = "the-words-of-the-letter"
SUBJECT = "the-subject-of-the-letter"


def written(*to: str, **changes: Any) -> Written:
    """A letter to these addresses."""
    to_ = tuple(Mailbox(address=address) for address in to)
    return Written(**{"to": to_, "subject": SUBJECT, "text": f"Hello\n{SECRET_WORDS}\n.\n..dots\n", **changes})


def queued(account: MailAccount, *to: str, **changes: Any) -> Outgoing:
    """The same, waiting to be sent."""
    message = drafts.begin(account, written(*to, **changes), author=account.owner)
    outbox.queue(message)
    message.refresh_from_db()
    return message


def work_off(message: Outgoing, *, jobs: int = 3) -> Outgoing:
    """So many jobs for the message: one to send it, one to file it, one that finds nothing to do."""
    for _ in range(jobs):
        tasks.send(message.pk)
    message.refresh_from_db()
    return message


def time_passes(message: Outgoing) -> None:
    """Whoever had the message is given up, and its turn has come."""
    now = timezone.now()
    Outgoing.objects.filter(pk=message.pk, worker_until__isnull=False).update(worker_until=now)
    Outgoing.objects.filter(pk=message.pk, next_at__isnull=False).update(next_at=now, failures=F("failures"))


def turn_in_an_hour(account: MailAccount) -> None:
    """As of an account that is watched."""
    MailAccount.objects.filter(pk=account.pk).update(next_sync_at=timezone.now() + timedelta(hours=1))


def is_due(account: MailAccount) -> bool:
    """Whether a sync of the account is wanted now."""
    return MailAccount.objects.filter(pk=account.pk, next_sync_at__lte=timezone.now()).exists()
