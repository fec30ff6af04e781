"""Counts what becomes of an account's mail."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from django.db.models import F

from mailaccounts.models import Tally

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Set


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a batch adds to the tally: so many ``others``, by its columns, and what becomes of the messages found.
    Those at the UIDs ``fresh`` are new to it, those at ``joining`` are in it as left alone; the rest has its place."""

    others: Mapping[str, int] = field(default_factory=dict)
    fresh: Set[int] = frozenset()
    joining: Set[int] = frozenset()

    def without_others(self) -> Counts:
        return replace(self, others={})

    def plus(self, others: Mapping[str, int]) -> Counts:
        return replace(self, others=Counter(self.others) + Counter(others))

    def of(self, found: Iterable[tuple[int, str]], *, new: Collection[str]) -> Counter[str]:
        """By the tally's columns. ``found`` are UIDs with their fingerprints, of which those ``new`` weren't stored
        before: of copies one is, and the others are stored already."""
        counts, once = Counter(self.others), set(new)
        for uid, fingerprint in found:
            if uid in self.fresh or uid in self.joining:
                counts["stored" if fingerprint in once else "again"] += 1
                counts["joined"] += uid in self.joining
                once.discard(fingerprint)
        return counts


NONE = Counts()


def add(account_id: int, counts: Mapping[str, int]) -> None:
    """Adds ``counts``, by the names of the tally's columns. One query; call it while holding the account's row, in the
    transaction of what is counted."""
    news = {name: count for name, count in counts.items() if count}
    if not news:
        return
    added = {name: F(name) + count for name, count in news.items()}
    if not Tally.objects.filter(account=account_id).update(**added):
        Tally.objects.create(account_id=account_id, **news)
