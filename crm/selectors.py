"""Reads of the CRM: contacts and the mail with them that a user may see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Count, F, Max, Q, Window
from django.db.models.functions import Left, RowNumber

from crm.models import Company, Contact, ContactAddress, TimelineEntry
from mailaccounts import selectors as mail
from mailaccounts.services import directory

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from django.db.models import QuerySet

    from crm.models import CompanyDomain
    from mailaccounts.models import Message
    from mailaccounts.services.directory import Looking

MOST_WORDS = 10  # of a search; thousands would keep the database busy for a minute
TEXT_SHOWN = 20_000  # characters of a message that a page shows


def search_contacts(text: str) -> QuerySet[Contact]:
    """Contacts whose name, addresses or company contain every word of ``text``, of which the first few count."""
    found = Contact.objects.select_related("company").prefetch_related("addresses")
    for word in text.split()[:MOST_WORDS]:
        at = ContactAddress.objects.filter(address__icontains=word)
        found = found.filter(
            Q(name__icontains=word) | Q(pk__in=at.values("contact")) | Q(company__name__icontains=word)
        )
    return found


def timeline(whose: Contact | Company, *, user: Any) -> QuerySet[TimelineEntry]:
    """The mail with a contact, or with anybody of a company, that ``user`` may know of, newest first; through several
    mailboxes it is there once, through the one that shows the user most of it: each has their ``access``.

    Without what the messages say: the database would read it of all of them to show a page (see ``texts``).
    """
    theirs = Q(contact=whose) if isinstance(whose, Contact) else Q(company=whose) | Q(contact__company=whose)
    sight = mail.Sight.of(user)
    most = Window(RowNumber(), partition_by="fingerprint", order_by=[F("access").desc(), F("pk").asc()])
    return (
        TimelineEntry.objects.filter(theirs, _may_know(sight))
        .annotate(access=sight.access("message__"))
        .annotate(place=most)
        .filter(place=1)
        .select_related("message__account")
        .prefetch_related(sight.participants("message__"), "message__attachments")
        .defer("message__body_text", "message__body_html")
        .order_by("-occurred_at", "-pk")
    )


def looking(whose: Contact | Company) -> Looking | None:
    """How far mailboxes are with looking for earlier mail with them; None when nobody looks for it any more. One query
    if their addresses or domains are prefetched."""
    rows: Iterable[ContactAddress | CompanyDomain] = (
        whose.addresses.all() if isinstance(whose, Contact) else whose.domains.all()
    )
    changes = [each.late_search_id for each in rows if each.late_search_id]
    return directory.looking(changes) if changes else None


def texts(messages: Iterable[Message], *, user: Any) -> dict[int, str]:
    """The beginning of what each of ``messages`` says, by key, of those that ``user`` may read. One query."""
    shown = mail.readable_by(user).filter(pk__in=[message.pk for message in messages])
    return dict(shown.values_list("pk", Left("body_text", TEXT_SHOWN)))


def activity(contacts: Iterable[Contact], *, user: Any) -> dict[int, tuple[int, datetime]]:
    """Per contact with visible mail: how many messages, and when the last one came."""
    visible = TimelineEntry.objects.filter(_may_know(mail.Sight.of(user)), contact__in=contacts)
    rows = visible.values_list("contact").annotate(Count("fingerprint", distinct=True), Max("occurred_at"))
    return {contact_id: (count, last) for contact_id, count, last in rows}


def _may_know(sight: mail.Sight) -> Q:
    """That mail went to somebody unseen is for its owner: others don't find it on that person's timeline."""
    return sight.may_know("message__") & (Q(unseen=False) | Q(message__account__in=sight.own))
