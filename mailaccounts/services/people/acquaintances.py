"""Whom the host knows, as far as the account's owner lets it: the one place that asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailaccounts.hooks import hooks
from mailaccounts.models import Blocked
from mailaccounts.rules import blocking

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

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
    known = _asked(hooks().known_addresses, account, addresses)
    blocked = among_blocked(account.owner_id, known) if account.handed_over_at is None else set()
    return Acquaintances(known=frozenset(known - blocked), blocked=frozenset(blocked))


def passed_over(account: MailAccount, addresses: Collection[str]) -> set[str]:
    """Those of ``addresses`` that the host lets nobody know. One question to it, none for no addresses."""
    return _asked(hooks().passed_over, account, addresses)


def _asked(
    question: Callable[[MailAccount, set[str]], set[str]], account: MailAccount, addresses: Collection[str]
) -> set[str]:
    asked = list(addresses)
    portions = (set(asked[start : start + ADDRESSES]) for start in range(0, len(asked), ADDRESSES))
    return set().union(*(question(account, portion) for portion in portions))


def among_blocked(owner_id: int, addresses: Collection[str]) -> set[str]:
    """Those of ``addresses`` (lower case) that this user has blocked. One query, none for no addresses."""
    if not addresses:
        return set()
    patterns = Blocked.objects.filter(owner=owner_id).values_list("pattern", flat=True)
    return blocking.blocked(addresses, patterns=list(patterns))
