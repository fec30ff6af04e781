"""Takes messages out of the store, whatever the reason, with what would be left of their conversations: those that go
on are called after their first message that is left."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, Subquery

from mailaccounts.models import MailAccount, Message, Thread
from mailaccounts.services.limits.lease import FREE
from mailaccounts.services.storing import summaries, tallying

if TYPE_CHECKING:
    from django.db.models import QuerySet

MESSAGES = 500  # in one transaction, with all that hangs on them, the host's rows included


def lock(account_id: int) -> MailAccount | None:
    """The account, locked until the transaction ends; None while a worker has it: what a sync has just found counts on
    what is stored."""
    return MailAccount.objects.filter(FREE, pk=account_id).select_for_update(of=("self",)).first()


def remove(which: QuerySet[Message]) -> int:
    """Deletes the first ``MESSAGES`` of these messages; how many that were. Call it with their account locked."""
    batch = list(which.values_list("pk", "thread", "account")[:MESSAGES])
    Message.objects.filter(pk__in=[pk for pk, _, _ in batch]).only("pk").delete()  # and no body is read for it
    threads = {thread for _, thread, _ in batch}
    left = Message.objects.filter(thread=OuterRef("pk")).order_by("received_at", "pk")
    Thread.objects.filter(~Exists(left), pk__in=threads).delete()
    Thread.objects.filter(pk__in=threads).update(subject=Subquery(left.values("subject")[:1]))
    for account_id, count in Counter(account for _, _, account in batch).items():
        summaries.refresh(account_id, threads)
        tallying.add(account_id, {"erased": count})
    return len(batch)
