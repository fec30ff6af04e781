"""The day on which an app registration's secret ends, and who hears of it in time."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Q
from django.utils import timezone

from mailaccounts.models import GrantStatus, OAuthClient
from mailaccounts.services.registering import clients
from mailaccounts.services.telling.operators import tell

if TYPE_CHECKING:
    from datetime import date

NEAR = timedelta(days=30)
MAILED_DAYS = frozenset({30, 7, 1, 0})  # before the end; the log says it every day

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """When a secret ends, as of today. It works on its last day."""

    on: date
    days: int  # left; negative when it is over

    @classmethod
    def of(cls, client: OAuthClient) -> Expiry | None:
        """When ``client`` runs out of secrets: the end of the one that waits to take over counts. None: not known."""
        on = client.next_secret_expires_on if client.has_next_secret else client.secret_expires_on
        return None if on is None else cls(on=on, days=(on - timezone.localdate()).days)

    @property
    def is_over(self) -> bool:
        return self.days < 0

    @property
    def is_near(self) -> bool:
        return self.days <= NEAR.days

    def __str__(self) -> str:
        """What the secret does, for a sentence."""
        if self.is_over:
            return f"expired on {self.on.isoformat()}"
        left = {0: "today", 1: "tomorrow"}.get(self.days, f"in {self.days} days")
        return f"expires {left}, on {self.on.isoformat()}"


def expiring(*, using: str | None = None) -> list[tuple[OAuthClient, Expiry]]:
    """The registrations in use whose secrets end within 30 days or are over, the first to end first."""
    in_use = OAuthClient.objects.using(using).filter(Q(is_active=True) | Q(grants__status=GrantStatus.ACTIVE))
    dated = in_use.filter(Q(secret_expires_on__isnull=False) | Q(next_secret_expires_on__isnull=False)).distinct()
    found = [(client, expiry) for client in dated if (expiry := Expiry.of(client)) is not None and expiry.is_near]
    return sorted(found, key=lambda pair: pair[1].on)


def warn() -> int:
    """Says of each registration whose secret ends soon that it does; for once a day. How many there are."""
    clients.remember_named()
    found = expiring()
    for client, expiry in found:
        level = logging.ERROR if expiry.is_over else logging.WARNING
        logger.log(level, "the secret of app registration %s with %s %s", client.pk, client.provider, expiry)
    lines = [f"The secret of “{client.name}” {expiry}." for client, expiry in found if expiry.days in MAILED_DAYS]
    if lines:
        advice = (
            "Make a new one in the provider's console and enter it in the admin, under Mail accounts → App "
            "registrations, as the next secret: it takes over by itself, without a pause."
        )
        tell("The secret of an app registration ends soon", "\n".join([*lines, "", advice]))
    return len(found)
