"""Why a message is left alone that nobody known takes part in."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


class Reason(StrEnum):
    """Named as the columns of the tally that count them."""

    NOBODY = "nobody"
    COLLEAGUES = "colleagues"
    BLOCKED = "blocked"
    LEFT_OUT = "left_out"


def reason(addresses: frozenset[str], *, blocked: Collection[str], passed_over: Collection[str]) -> Reason:
    """Its owner has ``blocked`` somebody of ``addresses`` who would be known; or there is nobody in it but those that
    are ``passed_over``; or else nobody knows them."""
    if not addresses.isdisjoint(blocked):
        return Reason.BLOCKED
    if addresses and addresses.issubset(passed_over):
        return Reason.COLLEAGUES
    return Reason.NOBODY
