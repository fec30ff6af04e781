"""Writes of the CRM: adding, correcting and removing contacts and companies. ValidationError says what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import transaction

from crm.changes import became_known, following, patterns_of
from crm.folding import fold_address, fold_domain
from crm.models import Company, CompanyDomain, Contact, ContactAddress
from mailaccounts.services.people import directory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailaccounts.models import DirectoryChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Whether a contact was ``added``, and their addresses that nobody had, folded."""

    added: bool
    fresh: frozenset[str]


def save_contact(*, name: str, addresses: Sequence[str], company: str = "") -> bool:
    """``put_contact``, and has mail of the past looked for; tells whether the contact was added."""
    with transaction.atomic():
        put = put_contact(name=name, addresses=addresses, company=company)
        became_known(put.fresh)
    return put.added


@transaction.atomic
def put_contact(*, name: str, addresses: Sequence[str], company: str = "") -> Put:
    """Adds the contact, or updates the one with one of these addresses. For many at once: whoever calls it has those
    who are new looked for.

    The first of ``addresses`` is the main one of a new contact; an old one keeps those it has. An empty ``company``
    leaves the one there is.
    """
    folded = _once(addresses, fold_address)
    found = list(Contact.objects.filter(addresses__folded__in=folded).distinct())
    if len(found) > 1:
        raise ValidationError(f"These addresses belong to different contacts: {', '.join(map(str, found))}.")
    contact = found[0] if found else Contact()
    contact.name = name
    if company:
        contact.company = company_named(company)
    contact.save()
    there = set(contact.addresses.values_list("folded", flat=True))
    fresh = {key: address for key, address in folded.items() if key not in there}
    for each in fresh.values():
        contact.addresses.create(address=each)
    return Put(added=not found, fresh=frozenset(fresh))


def set_addresses(contact: Contact, addresses: Sequence[str]) -> DirectoryChange | None:
    """Makes these the contact's addresses, the main one first; what that took away, None for nothing. A row stays
    while its address does."""
    folded = _once(addresses, fold_address)
    with following(contact) as changed:
        contact.addresses.exclude(folded__in=folded).delete()
        there = {each.folded: each for each in contact.addresses.all()}
        for number, (key, address) in enumerate(folded.items()):
            row = there.get(key) or ContactAddress(contact=contact)
            row.address, row.is_primary = address, number == 0
            row.save()
    return changed.removed


def set_domains(company: Company, domains: Sequence[str]) -> DirectoryChange | None:
    """Makes these the company's domains; what that took away, None for nothing. A row stays while its domain does."""
    folded = _once(domains, fold_domain)
    with following(company) as changed:
        company.domains.exclude(folded__in=folded).delete()
        there = set(company.domains.values_list("folded", flat=True))
        CompanyDomain.objects.bulk_create(
            CompanyDomain(company=company, domain=domain) for key, domain in folded.items() if key not in there
        )
    return changed.removed


@transaction.atomic
def remove_contact(contact: Contact) -> DirectoryChange | None:
    """Deletes the contact with their timeline; whom that made unknown, None for nobody. The mail with them stays."""
    patterns = patterns_of(contact)
    contact.delete()
    return directory.removed(patterns)


@transaction.atomic
def remove_company(company: Company) -> DirectoryChange | None:
    """Deletes the company and its domains; its contacts stay, without one. As above."""
    patterns = patterns_of(company)
    company.delete()
    return directory.removed(patterns)


def company_named(name: str) -> Company | None:
    """The company of this name, added when it is new; None for no name."""
    return Company.objects.get_or_create(name=name)[0] if name else None


def _once(written: Sequence[str], fold: Callable[[str], str]) -> dict[str, str]:
    """By what they fold to, the first spelling of each, in order."""
    found: dict[str, str] = {}
    for each in written:
        found.setdefault(fold(each), each)
    return found
