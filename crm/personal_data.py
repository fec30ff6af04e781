"""What is stored about a person, to be told to them, and erased."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Count, Max, Min

from crm.folding import fold_address
from crm.models import Barred, Contact, TimelineEntry
from mailaccounts import selectors as mail
from mailaccounts.models import AuditAction, MailAccount, Role, Why
from mailaccounts.services.people import forgetting
from mailaccounts.services.trail import audit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from django.db.models import QuerySet

    from mailaccounts.models import Erasing, Message, Outgoing

ADDRESSED = (Role.TO, Role.CC, Role.BCC)
BATCH = 200  # messages read at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody by their addresses, folded: all of a contact's who has one of those asked about."""

    addresses: frozenset[str]
    contacts: Sequence[Contact] = field(default=())

    @classmethod
    def known_by(cls, addresses: Collection[str]) -> Person:
        folded = {fold_address(each) for each in addresses}
        found = Contact.objects.filter(addresses__folded__in=folded).distinct()
        contacts = list(found.select_related("company").prefetch_related("addresses"))
        theirs = {each.folded for contact in contacts for each in contact.addresses.all()}
        return cls(addresses=frozenset(folded | theirs), contacts=contacts)

    @property
    def messages(self) -> QuerySet[Message]:
        return mail.messages_with(self.addresses)

    @property
    def written(self) -> QuerySet[Outgoing]:
        """What was written to them here."""
        return mail.written_to(self.addresses)

    @property
    def timeline(self) -> QuerySet[TimelineEntry]:
        return TimelineEntry.objects.filter(contact__in=self.contacts)


def mailboxes(person: Person) -> list[dict[str, Any]]:
    """Per mailbox with mail of theirs: ``address``, how much is ``stored``, from the ``first`` to the ``last``."""
    rows = MailAccount.objects.filter(messages__in=person.messages).values("address")
    arrived = {"first": Min("messages__received_at"), "last": Max("messages__received_at")}
    return [{**row} for row in rows.annotate(stored=Count("messages"), **arrived).order_by("address")]


def described(person: Person, messages: Sequence[Message], *, user: Any) -> list[dict[str, Any]]:
    """What is stored of these messages of theirs, in JSON: the subject of those that ``user`` may know of, what their
    own say; of the others, that there is a message, and not how it was addressed to them: a Bcc is for its owner.
    Four queries."""
    keys = [message.pk for message in messages]
    known = set(mail.messages_for(user).filter(pk__in=keys).values_list("pk", flat=True))
    texts = dict(mail.own_messages(user).filter(pk__in=keys).values_list("pk", "body_text"))
    theirs = mail.taking_part(person.addresses).filter(message__in=keys).order_by("position")
    roles: dict[int, list[dict[str, str]]] = {}
    for each in theirs:
        role = each.role if each.message_id in texts or each.role not in ADDRESSED else "recipient"
        roles.setdefault(each.message_id, []).append({"role": role, "address": each.address, "name": each.name})
    return [
        {
            "mailbox": message.account.address,
            "received_at": message.received_at.isoformat(),
            "they_are": roles.get(message.pk, []),
            "size": message.size,
            "attachments": message.files,  # type: ignore[attr-defined]  # counted by ``stored``
            **({"subject": message.subject, "message_id": message.message_id} if message.pk in known else {}),
            **({"text": texts[message.pk]} if message.pk in texts else {}),
        }
        for message in messages
    ]


def stored(person: Person) -> QuerySet[Message]:
    """Their messages, newest first, each as often as mailboxes have it; without what they say."""
    found = person.messages.select_related("account").annotate(files=Count("attachments"))
    return found.defer("body_text", "body_html").order_by("-received_at", "-pk")


def as_json(person: Person, *, user: Any) -> Iterator[str]:
    """Everything that is stored about them, piece by piece."""
    about = {
        "addresses": sorted(person.addresses),
        "contacts": [
            {
                "name": contact.name,
                "company": contact.company.name if contact.company else None,
                "addresses": [each.address for each in contact.addresses.all()],
                "added_at": contact.created_at.isoformat(),
            }
            for contact in person.contacts
        ],
        "timeline_entries": person.timeline.count(),
        "written_to_them": [
            {"from": each.account.address, "state": each.state, "at": (each.sent_at or each.created_at).isoformat()}
            for each in person.written.select_related("account").defer("raw", "body_text", "body_html")
        ],
    }
    yield json.dumps(about, ensure_ascii=False)[:-1] + ', "messages": ['
    found, separator = stored(person), ""
    keys = list(found.values_list("pk", flat=True))  # and no places in a list that mail comes and goes from meanwhile
    for start in range(0, len(keys), BATCH):
        for each in described(person, list(found.filter(pk__in=keys[start : start + BATCH])), user=user):
            yield separator + json.dumps(each, ensure_ascii=False)
            separator = ", "
    yield "]}"


@transaction.atomic
def erase(person: Person, *, by: Any, bar: bool) -> Erasing:
    """Deletes their contacts, and has a worker erase every message with them, and what was written to them. To ``bar``
    them keeps their addresses, so that new mail with them isn't stored."""
    for contact in person.contacts:
        contact.delete()
    if bar:
        for each in person.addresses:
            Barred.objects.get_or_create(pattern=each, defaults={"by": by})
    return forgetting.begin(person.addresses, why=Why.PERSON, asked_by=by)


def note_told(person: Person, *, by: Any) -> None:
    """Lets the owners of the mailboxes know that somebody was told what of their mail is stored about a person."""
    for account in MailAccount.objects.filter(messages__in=person.messages).distinct():
        audit.note(AuditAction.EXPORTED, account, actor=by, messages=person.messages.filter(account=account).count())
