"""Which folders were renamed: one is missing, and another one is new in the same list."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailaccounts.mail.types import FolderInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A folder that was there. ``last_uid`` is the highest UID known of it."""

    name: str
    mailbox_id: str
    uidvalidity: int
    last_uid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Renamed:
    """``certain`` when the server's own name for it says so (RFC 8474); otherwise the messages have to prove it."""

    old: str
    new: str
    certain: bool


def renamed(missing: Sequence[Missing], fresh: Sequence[FolderInfo]) -> list[Renamed]:
    """Pairs that fit, each folder in one at most. UIDVALIDITY alone is a hint: some servers give every folder the
    same, so where it fits more than once nothing is taken for renamed."""
    found: list[Renamed] = []
    by_id = {info.mailbox_id: info.name for info in fresh if info.mailbox_id}
    for each in missing:
        if each.mailbox_id and each.mailbox_id in by_id:
            found.append(Renamed(old=each.name, new=by_id.pop(each.mailbox_id), certain=True))
    old, new = {each.old for each in found}, {each.new for each in found}
    missing = [each for each in missing if each.name not in old]
    by_number: dict[int, list[FolderInfo]] = {}
    for info in fresh:
        if info.name not in new and info.status is not None:
            by_number.setdefault(info.status.uidvalidity, []).append(info)
    often = Counter(each.uidvalidity for each in missing)
    for each in missing:
        candidates = by_number.get(each.uidvalidity, [])
        if often[each.uidvalidity] == len(candidates) == 1:
            status = candidates[0].status
            if status is not None and status.uidnext > each.last_uid and not _other(each, candidates[0]):
                found.append(Renamed(old=each.name, new=candidates[0].name, certain=False))
    return found


def _other(each: Missing, info: FolderInfo) -> bool:
    return bool(each.mailbox_id and info.mailbox_id and each.mailbox_id != info.mailbox_id)
