"""Tells the mailboxes when somebody becomes known, or is not any more."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import transaction

from crm.models import CompanyDomain, Contact, ContactAddress
from mailaccounts.services.people import directory

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from crm.models import Company
    from mailaccounts.models import DirectoryChange


@dataclass(slots=True)
class Changed:
    """What a block took away, once it is left."""

    removed: DirectoryChange | None = None


@contextmanager
def following(whose: Contact | Company) -> Iterator[Changed]:
    """Tells of what the block changes of the contact's addresses or the company's domains, in its transaction."""
    with transaction.atomic():
        before, changed = patterns_of(whose), Changed()
        yield changed
        after = patterns_of(whose)
        became_known(after - before)
        changed.removed = directory.removed(before - after)


def became_known(patterns: Collection[str]) -> None:
    """Has mail of the past looked for; whose addresses and domains these are can tell how far that is."""
    if change := directory.added(patterns):
        ContactAddress.objects.filter(folded__among=set(patterns)).update(late_search=change)
        CompanyDomain.objects.filter(folded__among={each[1:] for each in patterns}).update(late_search=change)


def patterns_of(whose: Contact | Company) -> set[str]:
    """What they are known by: addresses, or ``@domain``."""
    if whose.pk is None:
        return set()
    if isinstance(whose, Contact):
        return set(ContactAddress.objects.filter(contact=whose.pk).values_list("folded", flat=True))
    return {f"@{each}" for each in CompanyDomain.objects.filter(company=whose.pk).values_list("folded", flat=True)}
