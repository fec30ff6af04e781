"""Whom the host knows, as far as the account's owner lets it: the one place that asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailaccounts.hooks import hooks
from mailaccounts.models import Blocked
from mailaccounts.rules import blocking

if TYPE_CHECKING:
    from collections.abc import Collection

    from mailaccounts.models import MailAccount

ADDRESSES = 10_000  # in one question to the host; databases have a limit on the values of a query


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquaintances:
    """Those of the addresses asked about that are ``known``, and those that the host knows too, but that the account's
    owner has ``blocked``: nothing is stored because of them."""

    known: frozenset[str]
    blocked: frozenset[str]


def ask(account: MailAccount, addresses: Collection[str]) -> Acquaintances:
    """One question to the host, or a few for addresses in such numbers as only an attack has; and one query for the
    owner's blocklist, if anybody is known."""
    asked, known = list(addresses), set[str]()
    for start in range(0, len(asked), ADDRESSES):
        known |= hooks().known_addresses(account, set(asked[start : start + ADDRESSES]))
    blocked = among_blocked(account.owner_id, known)
    return Acquaintances(known=frozenset(known - blocked), blocked=frozenset(blocked))


def among_blocked(owner_id: int, addresses: Collection[str]) -> set[str]:
    """Those of ``addresses`` (lower case) that this user has blocked. One query, none for no addresses."""
    if not addresses:
        return set()
    patterns = Blocked.objects.filter(owner=owner_id).values_list("pattern", flat=True)
    return blocking.blocked(addresses, patterns=list(patterns))
