"""Who counts as a contact. Our own users, their mailboxes and barred domains never do (docs/pages.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models.functions import Lower

from crm.models import Contact
from mailaccounts.models import MailAccount

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from django.db.models import QuerySet


def known_contacts(addresses: Iterable[str]) -> QuerySet[Contact]:
    """The contacts among ``addresses`` whose mail may be stored. One query when it is read."""
    candidates = [address.lower() for address in addresses if not barred(address)]
    return (
        Contact.objects.filter(email__among=candidates)
        .exclude(email__in=MailAccount.objects.values(lower=Lower("address")))
        .exclude(email__in=get_user_model().objects.values(lower=Lower("email")))
    )


def own_addresses(addresses: Collection[str]) -> set[str]:
    """Those of ``addresses`` (lower case) that belong to our users or their mailboxes. One query."""
    users = get_user_model().objects.annotate(lower=Lower("email")).filter(lower__in=addresses)
    mailboxes = MailAccount.objects.annotate(lower=Lower("address")).filter(lower__in=addresses)
    return set(users.values_list("lower", flat=True).union(mailboxes.values_list("lower", flat=True)))


def barred(address: str) -> bool:
    """Whether the domain of ``address``, or one above it, is in CRM_BARRED_DOMAINS."""
    domain = "." + address.rpartition("@")[2].lower()
    return any(domain.endswith("." + each.lower().lstrip("@.")) for each in settings.CRM_BARRED_DOMAINS)


def ignored_because(contact: Contact) -> str:
    """Why mail with ``contact`` isn't collected, in words; "" when it is."""
    if barred(contact.email):
        return "its domain is barred (CRM_BARRED_DOMAINS)"
    if own_addresses([contact.email]):
        return "it belongs to one of your own users"
    return ""
