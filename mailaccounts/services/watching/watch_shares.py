"""How many connections a watcher may have at servers that limit those of all mailboxes together.

Every connection is counted where it is opened (``budget``), which never lets there be too many. This leaves some for
syncs, so that the accounts that had mail last have the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailaccounts import presets
from mailaccounts.conf import settings
from mailaccounts.rules.watching import for_syncs
from mailaccounts.services.watching import watch_claims

if TYPE_CHECKING:
    from collections.abc import Iterable


def shares(watcher: str, hosts: Iterable[str]) -> dict[str, int]:
    """What other watchers leave at those of ``hosts`` that say how many connections they take in all."""
    takes = {host: most for host in hosts if (most := _in_all(host)) is not None}
    taken = watch_claims.others(watcher, takes) if takes else {}
    return {host: max(0, most - for_syncs(most) - taken.get(host, 0)) for host, most in takes.items()}


def _in_all(host: str) -> int | None:
    known = presets.for_host(host, extra=settings.extra_presets)
    return known.limits.connections_in_all if known else None
