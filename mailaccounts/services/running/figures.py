"""Numbers of all accounts together: as they are now, and as a row of each day and each hour remembers them.

The number of queries doesn't depend on how many accounts there are.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from django.db.models import Case, Count, F, FilteredRelation, Q, Sum, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from mailaccounts.models import CredentialState, DailyFigures, HourlyFigures, MailAccount, Tally
from mailaccounts.services.limits.lease import PAUSED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date, datetime

PAUSE = "paused"  # the state of an account that is paused; of any other it is its status
KEPT = timedelta(days=14)  # of hours
HOUR = timedelta(hours=1)

Numbers = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Accounts that are alike: at one server, signing in the same way ("" for not at all), in one state, with one
    error ("" for none)."""

    host: str
    backend: str
    state: str
    code: str
    accounts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """What all accounts together examined and stored in the hour that began at ``start``."""

    start: datetime
    examined: int
    stored: int


def groups() -> list[Group]:
    """All accounts as they are now. One query."""
    active = FilteredRelation("credentials", condition=Q(credentials__state=CredentialState.ACTIVE))
    rows = (
        MailAccount.objects.annotate(
            active=active,
            backend=Coalesce(F("active__backend"), Value("")),
            state=Case(When(PAUSED, then=Value(PAUSE)), default=F("status")),
        )
        .values("imap_host", "backend", "state", "status_code")
        .annotate(accounts=Count("pk"))
        .order_by()
    )
    return [
        Group(
            host=row["imap_host"],
            backend=row["backend"],
            state=row["state"],
            code=row["status_code"],
            accounts=row["accounts"],
        )
        for row in rows
    ]


def by_kind_and_state(found: Iterable[Group]) -> Numbers:
    """How many accounts there are of each kind of sign-in, and of these in each state."""
    numbers: Numbers = {}
    for group in found:
        states = numbers.setdefault(group.backend, {})
        states[group.state] = states.get(group.state, 0) + group.accounts
    return numbers


def total(found: Iterable[Group], what: Callable[[Group], Any]) -> Counter[Any]:
    """How many accounts there are of each ``what``, a function of a group."""
    numbers: Counter[Any] = Counter()
    for group in found:
        numbers[what(group)] += group.accounts
    return numbers


def remember_day() -> None:
    """Notes how many accounts there are today; done again, it notes the later figures."""
    DailyFigures.objects.update_or_create(day=timezone.localdate(), defaults={"accounts": by_kind_and_state(groups())})


def remember_hour() -> None:
    """Notes once an hour how many messages were examined and stored by then, and forgets hours long past."""
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    if HourlyFigures.objects.filter(hour=hour).exists():
        return
    HourlyFigures.objects.bulk_create([HourlyFigures(hour=hour, **messages())], ignore_conflicts=True)
    HourlyFigures.objects.filter(hour__lt=hour - KEPT).delete()


def messages() -> dict[str, int]:
    """How many messages all accounts there are have ``examined`` and ``stored`` so far."""
    parts = ("stored", "again", "nobody", "colleagues", "blocked", "left_out")
    sums = Tally.objects.aggregate(**{part: Coalesce(Sum(part), 0) for part in (*parts, "joined")})
    return {"examined": max(sum(sums[part] for part in parts) - sums["joined"], 0), "stored": sums["stored"]}


def days(number: int) -> dict[date, Numbers]:
    """The last so many days that were noted, oldest first."""
    since = timezone.localdate() - timedelta(days=number)
    rows = DailyFigures.objects.filter(day__gt=since).order_by("day")
    return {row.day: row.accounts for row in rows}


def hours(number: int) -> list[Hour]:
    """What came in the last so many hours, oldest first, the one that runs included. Of an hour that wasn't noted the
    messages are in the one before it; accounts that are gone take theirs along, and make no number negative."""
    since = timezone.now().replace(minute=0, second=0, microsecond=0) - number * HOUR
    rows = list(HourlyFigures.objects.filter(hour__gte=since).order_by("hour"))
    if not rows:
        return []
    now = HourlyFigures(hour=timezone.now(), **messages())
    return [
        Hour(
            start=row.hour,
            examined=max(following.examined - row.examined, 0),
            stored=max(following.stored - row.stored, 0),
        )
        for row, following in pairwise([*rows, now])
    ]
