"""How an installation is doing, for whoever runs it: how late its accounts are, what its workers do, what ends soon.

A constant number of queries, however many accounts there are. Nothing here asks the network but the broker and the
cache.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from mailaccounts.models import AccountStatus, Grant, GrantStatus, MailAccount, OAuthClient
from mailaccounts.queue import waiting, workers
from mailaccounts.services.limits.lease import AT_WORK, FREE
from mailaccounts.services.limits.watch_fleet import UNWATCHED
from mailaccounts.services.registering.secret_expiry import Expiry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from django.db.models import QuerySet

SHOWN = 10  # rows of what is worst
IDLE_ENDS = timedelta(days=90)  # after which Microsoft ends a grant that nobody used
IDLE_NEAR = timedelta(days=60)
BY_ITSELF = AT_WORK & Q(status__in=(AccountStatus.NEW, AccountStatus.OK, AccountStatus.WAITING))

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How long something takes for half of the accounts, for 95 of a hundred, and for the last one; in seconds."""

    p50: float
    p95: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """Of the ``accounts`` that go by themselves: how long ago each one's last good sync was, how far each is behind
    its turn, and those that are worst."""

    accounts: int
    since_sync: Spread
    behind: Spread
    worst: Sequence[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """``jobs`` that wait for one of a cluster's ``workers``; None: the broker is out of reach. Accounts that are
    ``due``, have a worker (``running``), and are ``watched``."""

    jobs: int | None
    workers: int
    due: int
    running: int
    watched: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """Consents that end soon because nobody uses them: how many, and the first of them to end."""

    number: int
    first: Sequence[Grant]


def queue() -> Queue:
    now = timezone.now()
    counted = MailAccount.objects.aggregate(
        due=Count("pk", filter=AT_WORK & FREE & Q(next_sync_at__lte=now)),
        running=Count("pk", filter=Q(lease_until__gt=now) & ~Q(lease_owner="")),
        watched=Count("pk", filter=~UNWATCHED),
    )
    return Queue(jobs=_jobs(), workers=workers(), **counted)


def lag() -> Lag:
    now = timezone.now()
    rows = MailAccount.objects.filter(BY_ITSELF).annotate(seen=Coalesce("last_sync_at", "created_at"))
    number = rows.count()
    return Lag(
        accounts=number,
        since_sync=_spread(rows, "seen", number, now),
        behind=_spread(rows.filter(next_sync_at__isnull=False), "next_sync_at", number, now),
        worst=list(rows.order_by("seen", "pk").only("address", "status_code", "failures", "next_sync_at")[:SHOWN]),
    )


def secrets() -> list[tuple[OAuthClient, Expiry]]:
    """The registrations whose secret or certificate has an end that is known, the first to end first."""
    rows = OAuthClient.objects.filter(Q(is_active=True) | Q(grants__status=GrantStatus.ACTIVE)).distinct()
    dated = [(client, expiry) for client in rows if (expiry := Expiry.of(client))]
    return sorted(dated, key=lambda pair: pair[1].on)


def idle_grants() -> Idle:
    """People's consents at Microsoft that nobody has used for so long that they end soon."""
    used = Coalesce("refreshed_at", "created_at")
    theirs = Grant.objects.filter(app_only=False, status=GrantStatus.ACTIVE, client__provider="microsoft")
    near = theirs.annotate(used=used).filter(used__lt=timezone.now() - IDLE_NEAR)
    first = near.only("signed_in_as", "subject").order_by("used", "pk")[:SHOWN]
    return Idle(number=near.count(), first=list(first))


def _jobs() -> int | None:
    try:
        return waiting()
    except Exception as error:  # noqa: BLE001 - every broker has errors of its own
        logger.error("the broker is out of reach: %s", type(error).__name__)
        return None


def _spread(rows: QuerySet[Any], column: str, number: int, now: datetime) -> Spread:
    """How long ago the instants in ``column`` are; those to come are no time ago."""
    oldest_first = rows.order_by(column).values_list(column, flat=True)

    def ago(share: float) -> float:
        found = list(oldest_first[int(number * share) :][:1])
        return max((now - found[0]).total_seconds(), 0.0) if found else 0.0

    return Spread(p50=ago(0.5), p95=ago(0.05), most=ago(0))
