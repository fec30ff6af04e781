"""Reads: what may be seen, by whom. Everything a page shows of accounts and mail starts from one of these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Prefetch
from django.db.models.functions import Length

from mailaccounts.models import (
    ERASING,
    AuditAction,
    AuditEntry,
    Enclosed,
    MailAccount,
    Message,
    Outgoing,
    Participant,
    Quarantined,
    Recipient,
)

if TYPE_CHECKING:
    from django.db.models import QuerySet


def accounts_for(user: Any) -> QuerySet[MailAccount]:
    """The accounts ``user`` may see: their own, and none for somebody who isn't signed in."""
    if not user.is_authenticated:
        return MailAccount.objects.none()
    return MailAccount.objects.filter(owner=user)


def messages_for(user: Any) -> QuerySet[Message]:
    """The stored messages ``user`` may read: those of the accounts they may see, but for those on their way out."""
    return Message.objects.filter(account__in=accounts_for(user).exclude(status_code=ERASING))


def receipts_for(user: Any) -> QuerySet[AuditEntry]:
    """The receipts of the mailboxes that ``user`` had when they were disconnected, newest first."""
    if not user.is_authenticated:
        return AuditEntry.objects.none()
    return receipts().filter(owner=user)


def receipts() -> QuerySet[AuditEntry]:
    """What disconnecting left behind: an entry for each time, without those that tell what came of it later."""
    return AuditEntry.objects.filter(action=AuditAction.DISCONNECTED).exclude(facts__has_key="receipt")


def quarantined_of(account: MailAccount) -> QuerySet[Quarantined]:
    """What is set aside of an account's mail. Ask only for accounts that the user may see."""
    return Quarantined.objects.filter(folder__account=account)


def messages_about(address: str) -> QuerySet[Message]:
    """All that is stored because of a person, in whatever account: messages they take part in, and the rest of those
    conversations; without what they say. For operators (``export_mail``), never for a page."""
    theirs = Participant.objects.filter(address=address.strip().lower())
    return (
        Message.objects.filter(thread__in=theirs.values("message__thread"))
        .select_related("account")
        .prefetch_related("participants", "attachments", "uids__folder")
        .defer("body_text", "body_html")
        .order_by("received_at", "pk")
    )


def outgoing_to(address: str) -> QuerySet[Outgoing]:
    """What is being written to a person, or was, in whatever account; without what it says. For operators as well.
    Each of ``enclosed`` has its ``size``, and not its bytes."""
    files = Enclosed.objects.defer("content").annotate(size=Length("content"))
    return (
        Outgoing.objects.filter(pk__in=Recipient.objects.filter(address__iexact=address.strip()).values("outgoing"))
        .select_related("account")
        .prefetch_related("recipients", Prefetch("enclosed", files))
        .defer("raw", "body_text", "body_html")
        .order_by("created_at", "pk")
    )
