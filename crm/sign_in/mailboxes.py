"""The mailboxes of the identities somebody signs in with: offered until they are connected or declined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crm.sign_in.identities import identities_of
from crm.sign_in.models import DeclinedMailbox
from mailaccounts.services.consents.suggest import is_worth_offering


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxOffer:
    """A mailbox that one consent at ``label`` would connect."""

    address: str
    label: str


def offers_for(user: Any) -> list[MailboxOffer]:
    """What to offer ``user``. Asks the database and nobody else."""
    identities = identities_of(user)
    if not identities:
        return []
    declined = set(DeclinedMailbox.objects.filter(user=user).values_list("address", flat=True))
    return [
        MailboxOffer(address=each.address, label=each.label)
        for each in identities
        if each.address.lower() not in declined and is_worth_offering(each.address, provider=each.provider, user=user)
    ]


def decline(user: Any, address: str) -> None:
    """Stops offering a mailbox; only those of the user's identities are remembered."""
    for identity in identities_of(user):
        if identity.address.lower() == address.strip().lower():
            DeclinedMailbox.objects.get_or_create(user=user, address=identity.address.lower())
