"""Which letters concern somebody the host knows, and why the others don't."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailaccounts.models import Forgotten
from mailaccounts.rules.reasons import Reason, reason
from mailaccounts.rules.threads import matched
from mailaccounts.services.people import acquaintances
from mailaccounts.services.storing import conversations

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mailaccounts.models import MailAccount
    from mailaccounts.services.syncing.found import Found


@dataclass(slots=True, kw_only=True)
class Verdict:
    """``wanted`` are the UIDs to store; of the others ``reasons`` tells why not. ``stored`` are the keys of letters
    that lead to a stored conversation."""

    wanted: set[int] = field(default_factory=set)
    reasons: dict[int, Reason] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)

    def add(self, other: Verdict) -> None:
        self.wanted |= other.wanted
        self.reasons |= other.reasons
        self.stored |= other.stored


def judge(account: MailAccount, letters: Sequence[Found]) -> Verdict:
    """Two questions to the host for the whole batch: whom it knows, also in the stored threads of ``letters``, and,
    for the ledger, whom it passes over."""
    keys = conversations.stored_keys(account.pk, (key for each in letters for key in each.keys))
    people = conversations.people(keys.values())
    addresses = set().union(*(each.headers.addresses for each in letters), *people.values())
    told = acquaintances.ask(account, addresses)
    stored = {key: thread for key, thread in keys.items() if not people.get(thread, set()).isdisjoint(told.known)}
    wanted = matched([each.letter for each in letters], known=told.known, stored=stored)
    others = {each.uid: each.headers.addresses for each in letters if each.uid not in wanted}
    passed_over = acquaintances.passed_over(account, set().union(*others.values()))
    reasons = {
        uid: reason(addresses, blocked=told.blocked, passed_over=passed_over) for uid, addresses in others.items()
    }
    return Verdict(wanted=wanted, reasons=reasons, stored=set(keys))


def leave_forgotten(
    account: MailAccount, letters: Sequence[Found], verdict: Verdict, *, stored: Collection[str]
) -> None:
    """Takes back what was said of letters that were erased for good. One query, none if all wanted are ``stored``."""
    new = {each.uid: each.headers.fingerprint for each in letters if each.uid in verdict.wanted}
    gone = forgotten(account.pk, set(new.values()) - set(stored))
    for uid in [uid for uid, fingerprint in new.items() if fingerprint in gone]:
        verdict.wanted.discard(uid)
        verdict.reasons[uid] = Reason.LEFT_OUT


def forgotten(account_id: int, fingerprints: Collection[str]) -> set[str]:
    """Those of ``fingerprints`` whose messages were erased for good."""
    if not fingerprints:
        return set()
    rows = Forgotten.objects.filter(account_id=account_id, fingerprint__among=fingerprints)
    return set(rows.values_list("fingerprint", flat=True))
