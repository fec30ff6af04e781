"""Who is known. Our own users, their mailboxes and barred domains never are (docs/pages.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import BigIntegerField, F, QuerySet, Value
from django.urls import reverse

from crm.folding import domain_of, fold_address, fold_domain, folded_column, spellings
from crm.models import Barred, CompanyDomain, Contact, ContactAddress
from mailaccounts.models import MailAccount, Role

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from django.db.models.expressions import Combinable

    from mailaccounts.models import Message, Participant

NOBODY, NO_NAME = Value(None, output_field=BigIntegerField()), Value("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """To whom an address belongs: a contact whose it is, else the company whose domain it is in."""

    contact_id: int | None
    company_id: int | None
    name: str

    def get_absolute_url(self) -> str:
        if self.contact_id:
            return reverse("contact", args=[self.contact_id])
        return reverse("company", args=[self.company_id])


def known(addresses: Collection[str]) -> dict[str, Known]:
    """Those of ``addresses`` whose mail may be stored, with whom they belong to. One query, however many there are."""
    folded = {address: fold_address(address) for address in addresses}
    wanted = {each for each in folded.values() if not is_barred(domain_of(each))}
    domains = {domain_of(each) for each in wanted}
    contacts = ContactAddress.objects.filter(folded__among=wanted)
    companies = CompanyDomain.objects.filter(folded__among=domains)
    barred = Barred.objects.filter(pattern__among=set().union(*map(_patterns, wanted)))
    rows = _columns(contacts, F("folded"), contact=F("contact_id"), name=F("contact__name")).union(
        _columns(companies, F("folded"), company=F("company_id"), name=F("company__name")),
        _columns(barred, F("pattern")),
        *_ours(wanted),
        all=True,
    )
    nobody, theirs = set(), {}
    for key, contact_id, company_id, name in rows:
        if contact_id or company_id:
            theirs[key] = Known(contact_id=contact_id, company_id=company_id, name=name)
        else:
            nobody.add(fold_address(key))
    wanted = {each for each in wanted if nobody.isdisjoint(_patterns(each))}
    found = {each: theirs.get(each) or theirs.get(domain_of(each)) for each in wanted}
    return {address: whose for address, each in folded.items() if (whose := found.get(each))}


def own_addresses(addresses: Collection[str]) -> set[str]:
    """Those of ``addresses`` that belong to our users or their mailboxes. One query."""
    folded = {address: fold_address(address) for address in addresses}
    users, *others = _ours(set(folded.values()))
    ours = {fold_address(key) for key, *_ in users.union(*others, all=True)}
    return {address for address, each in folded.items() if each in ours}


def sender_of(message: Message) -> Participant | None:
    """Who the message says that it is from. Its participants are prefetched."""
    return next((each for each in message.participants.all() if each.role == Role.FROM), None)


def called(participant: Participant, known: Mapping[str, Known]) -> str:
    """What a participant is called: as we know them, else as the message does."""
    whose = known.get(participant.address)
    return (whose.name if whose and whose.contact_id else "") or participant.name or participant.address


def ignored_because(contact: Contact) -> dict[str, str]:
    """Those of the contact's addresses with which mail isn't collected, and why, in words."""
    addresses = [each.address for each in contact.addresses.all()]
    reasons = dict.fromkeys(own_addresses(addresses), "it belongs to one of your own users")
    reasons |= dict.fromkeys(barred(addresses), "it, or its domain, is barred")
    named = (each for each in addresses if is_barred(domain_of(each)))
    return reasons | dict.fromkeys(named, "its domain is barred (CRM_BARRED_DOMAINS)")


def barred(patterns: Collection[str]) -> set[str]:
    """Those of ``patterns``, addresses or ``@domain``, that are barred here, with their domain perhaps. One query."""
    folded = {each: _patterns(fold_address(each)) for each in patterns}
    found = Barred.objects.filter(pattern__among=set().union(*folded.values()))
    there = set(found.values_list("pattern", flat=True))
    return {each for each, names in folded.items() if not there.isdisjoint(names)}


def is_barred(domain: str) -> bool:
    """Whether ``domain``, or one above it, is in CRM_BARRED_DOMAINS."""
    barred = tuple("." + fold_domain(each.lstrip("@.")) for each in settings.CRM_BARRED_DOMAINS)
    return f".{fold_domain(domain)}".endswith(barred)


def _patterns(folded: str) -> set[str]:
    """By what an address, or ``@domain``, may be barred: itself, its domain, and those above it."""
    labels = domain_of(folded).split(".")
    return {folded, *("@" + ".".join(labels[start:]) for start in range(len(labels)))}


def _ours(folded: Collection[str]) -> list[QuerySet[Any, Any]]:
    """The rows of our users, of their further addresses and of their mailboxes that are one of those."""
    written = set().union(*map(spellings, folded))
    columns = (
        (get_user_model()._default_manager.all(), "email"),
        (EmailAddress.objects.filter(verified=True), "email"),
        (MailAccount.objects.all(), "address"),
    )
    annotated = (rows.annotate(untagged=folded_column(column)) for rows, column in columns)
    return [_columns(rows.filter(untagged__among=written), F("untagged")) for rows in annotated]


def _columns(
    rows: QuerySet[Any], key: Combinable, *, contact: Any = NOBODY, company: Any = NOBODY, name: Any = NO_NAME
) -> QuerySet[Any, Any]:
    """The columns of every part of the one query: key, contact, company, name."""
    named = {"known_by": key, "known_contact": contact, "known_company": company, "known_as": name}
    columns: QuerySet[Any, Any] = rows.order_by().annotate(**named).values_list(*named)
    return columns
