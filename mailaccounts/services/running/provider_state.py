"""What providers let us do, and what they are about to end, from the accounts that are with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils import timezone

from mailaccounts import presets
from mailaccounts.conf import settings
from mailaccounts.errors import AllowanceSpent, ServerDown, Throttled
from mailaccounts.services.limits import budget
from mailaccounts.services.running.figures import total

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from mailaccounts.presets import ProviderLimits
    from mailaccounts.services.running.figures import Group

MOST = 15  # servers, those with most accounts
PUT_OFF = frozenset({AllowanceSpent.code, Throttled.code})


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A mail server with ``accounts`` of ours; ``put_off`` of them have spent what they may, or were asked to slow
    down, and for ``unreached`` it doesn't answer. ``in_use`` of ``connections_in_all`` are taken where it limits all
    mailboxes together."""

    host: str
    provider: str
    accounts: int
    put_off: int
    unreached: int
    limits: ProviderLimits
    in_use: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """A day on which a provider ends a kind of sign-in that ``accounts`` of ours still use."""

    provider: str
    backend: str
    on: date
    days: int
    protocols: Sequence[str]
    accounts: int


def servers(found: Sequence[Group]) -> list[Server]:
    """The servers with most accounts."""
    everybody = total(found, lambda group: group.host).most_common(MOST)
    put_off = total((each for each in found if each.code in PUT_OFF), lambda group: group.host)
    unreached = total((each for each in found if each.code == ServerDown.code), lambda group: group.host)
    known = {host: presets.for_host(host, extra=settings.extra_presets) for host, _ in everybody}
    in_use = budget.connections_in_use([host for host, _ in everybody])
    return [
        Server(
            host=host,
            provider=preset.label if (preset := known[host]) else "",
            accounts=accounts,
            put_off=put_off[host],
            unreached=unreached[host],
            limits=preset.limits if preset else presets.ProviderLimits(),
            in_use=in_use.get(host),
        )
        for host, accounts in everybody
    ]


def deadlines(found: Iterable[Group]) -> list[Deadline]:
    """What ends, the first to end first; what has ended and is still in use included."""
    using = total(found, lambda group: (presets.for_host(group.host, extra=settings.extra_presets), group.backend))
    ends = [
        Deadline(
            provider=preset.label,
            backend=backend,
            on=end.on,
            days=(end.on - timezone.localdate()).days,
            protocols=end.protocols,
            accounts=accounts,
        )
        for (preset, backend), accounts in using.items()
        if preset and (end := preset.end_of(backend))
    ]
    return sorted(ends, key=lambda end: (end.on, end.provider))
