"""A number of slots that all workers share: how many may do something at the same time.

The cache counts, so that workers have to share one for that. A slot that its worker lost is free again after a while.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailaccounts.services.limits import shared

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Slot:
    """One of the slots, and the mark by which its holder knows that it is still theirs."""

    key: str
    mark: str

    def release(self) -> None:
        """Frees the slot; one that was lost meanwhile is left to who has it now."""
        if shared.get(self.key) == self.mark:
            shared.forget(self.key)


def take(key: str, *, among: int, seconds: float) -> Slot | None:
    """One of ``among`` slots for ``seconds``, or None when all are taken."""
    mark, first = secrets.token_hex(8), secrets.randbelow(among)
    for number in range(among):  # not all from the first: with many workers they would meet there
        slot = _name(key, (first + number) % among)
        if shared.add(slot, mark, seconds):
            return Slot(slot, mark)
    return None


def renew(held: Sequence[Slot], seconds: float) -> list[Slot]:
    """Keeps these slots for as long again, with few questions for many of them; which of them others have now. Those
    that the cache has forgotten, as one that was restarted has, are taken anew."""
    if not held:
        return []
    known = shared.get_many([slot.key for slot in held])
    mine = {slot.key: slot.mark for slot in held if known.get(slot.key) == slot.mark}
    if mine:
        shared.put_many(mine, seconds)
    others = [slot for slot in held if slot.key not in mine]
    return [slot for slot in others if slot.key in known or not shared.add(slot.key, slot.mark, seconds)]


def keys(key: str, *, among: int) -> list[str]:
    """The keys of all slots; those that are in the cache are taken."""
    return [_name(key, number) for number in range(among)]


def _name(key: str, number: int) -> str:
    return f"{key}:{number}"
