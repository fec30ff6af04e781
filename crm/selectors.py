"""Reads of the CRM: contacts and the mail with them that a user may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, IntegerField, OuterRef, Q, Subquery
from django.db.models.functions import Left

from crm.models import Company, Contact, ContactAddress, TimelineEntry
from mailaccounts import selectors as mail
from mailaccounts.services.people import directory

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from django.db.models import QuerySet

    from crm.models import CompanyDomain
    from mailaccounts.models import Message
    from mailaccounts.services.people.directory import Looking

MOST_WORDS = 10  # of a search; thousands would keep the database busy for a minute
COUNTED = 100  # entries of a contact's timeline; all of them would take as long as there is mail
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

    Without what the messages say (see ``texts``). Whatever there is, its beginning is read along an index.
    """
    theirs = Q(contact=whose) if isinstance(whose, Contact) else Q(company=whose) | Q(contact__company=whose)
    sight = mail.Sight.of(user)
    entries = TimelineEntry.objects.filter(theirs, _may_know(sight))
    entries = entries.annotate(access=sight.access("message__"))
    more = Q(access__gt=OuterRef("access")) | Q(access=OuterRef("access"), pk__lt=OuterRef("pk"))
    shows_more = entries.filter(more, message__fingerprint=OuterRef("fingerprint"))
    return (
        entries.filter(~Exists(shows_more))
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """How many ``messages`` there are with somebody, or ``more`` than that, and when the last one came."""

    messages: int
    more: bool
    last: datetime


class Different(Subquery):
    """How many different fingerprints the rows have."""

    template = "(SELECT count(DISTINCT fingerprint) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


def activity(contacts: Iterable[Contact], *, user: Any) -> dict[int, Activity]:
    """Of those contacts with whom there is mail that ``user`` may know of. Two queries, which look at the newest."""
    visible = TimelineEntry.objects.filter(_may_know(mail.Sight.of(user)), contact=OuterRef("pk"))
    newest = visible.order_by("-occurred_at", "-pk").values("fingerprint", "occurred_at")
    rows = Contact.objects.filter(pk__in=[contact.pk for contact in contacts]).annotate(
        messages=Different(newest[:COUNTED]),
        more=Exists(newest[COUNTED:]),
        last=Subquery(newest.values("occurred_at")[:1]),
    )
    columns = rows.order_by().values_list("pk", "messages", "more", "last")
    return {pk: Activity(messages=messages, more=more, last=last) for pk, messages, more, last in columns if last}


def _may_know(sight: mail.Sight) -> Q:
    """That mail went to somebody unseen is for its owner: others don't find it on that person's timeline."""
    return sight.may_know("message__") & (Q(unseen=False) | Q(message__account__in=sight.own))
