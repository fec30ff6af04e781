"""The certificates of mail servers that aren't a known provider's: an organisation's own run out unnoticed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.db import DatabaseError
from django.utils import timezone

from mailaccounts import presets
from mailaccounts.conf import settings
from mailaccounts.models import ServerCertificate
from mailaccounts.services.limits import shared

if TYPE_CHECKING:
    from mailaccounts.mail.types import Endpoint

NEAR = timedelta(days=14)
SHOWN = 10
DAY = 86_400
IN_USE = timedelta(days=7)  # a server that nobody has signed in to for longer isn't anybody's any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A server whose certificate ends in so many ``days``; negative when it has."""

    server: str
    on: datetime
    days: int

    @property
    def is_near(self) -> bool:
        return self.days < NEAR.days


def note(endpoint: Endpoint, ends: float | None) -> None:
    """A sign-in has met a certificate that is good until ``ends`` (seconds of the epoch, None: not known)."""
    host = endpoint.host.lower()
    if ends is None or not shared.add(f"mailaccounts:certificate:{host}:{endpoint.port}:{ends:.0f}", 1, DAY):
        return
    if presets.for_host(host, extra=settings.extra_presets) is None:
        met = {"not_after": datetime.fromtimestamp(ends, tz=UTC), "seen_at": timezone.now()}
        with suppress(DatabaseError):  # mail is more important
            ServerCertificate.objects.update_or_create(host=host, port=endpoint.port, defaults=met)


def ending() -> list[Ending]:
    """The first to end of those in use. One query."""
    now = timezone.now()
    rows = ServerCertificate.objects.filter(seen_at__gt=now - IN_USE).order_by("not_after", "host", "port")[:SHOWN]
    return [Ending(server=str(row), on=row.not_after, days=(row.not_after - now).days) for row in rows]
