"""Writes of the CRM: adding a contact or a company, or correcting one. ValidationError says what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import transaction

from crm.folding import fold_address, fold_domain
from crm.models import Company, CompanyDomain, Contact, ContactAddress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@transaction.atomic
def save_contact(*, name: str, addresses: Sequence[str], company: str = "") -> bool:
    """Adds the contact, or updates the one with one of these addresses; tells whether it was added.

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
    for each in (address for key, address in folded.items() if key not in there):
        contact.addresses.create(address=each)
    return not found


@transaction.atomic
def set_addresses(contact: Contact, addresses: Sequence[str]) -> None:
    """Makes these the contact's addresses, the main one first. A row stays while its address does."""
    folded = _once(addresses, fold_address)
    contact.addresses.exclude(folded__in=folded).delete()
    there = {each.folded: each for each in contact.addresses.all()}
    for number, (key, address) in enumerate(folded.items()):
        row = there.get(key) or ContactAddress(contact=contact)
        row.address, row.is_primary = address, number == 0
        row.save()


@transaction.atomic
def set_domains(company: Company, domains: Sequence[str]) -> None:
    """Makes these the company's domains. A row stays while its domain does."""
    folded = _once(domains, fold_domain)
    company.domains.exclude(folded__in=folded).delete()
    there = set(company.domains.values_list("folded", flat=True))
    CompanyDomain.objects.bulk_create(
        CompanyDomain(company=company, domain=domain) for key, domain in folded.items() if key not in there
    )


def company_named(name: str) -> Company | None:
    """The company of this name, added when it is new; None for no name."""
    return Company.objects.get_or_create(name=name)[0] if name else None


def _once(written: Sequence[str], fold: Callable[[str], str]) -> dict[str, str]:
    """By what they fold to, the first spelling of each, in order."""
    found: dict[str, str] = {}
    for each in written:
        found.setdefault(fold(each), each)
    return found
