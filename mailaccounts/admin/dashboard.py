"""The dashboard: at a glance whether all is well, and what has to be done. Figures only, and addresses of accounts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timesince import timesince

from mailaccounts.admin import pages
from mailaccounts.admin.account_states import STATES
from mailaccounts.admin.charts import bars
from mailaccounts.backends.registry import backends
from mailaccounts.models import AccountStatus
from mailaccounts.services.running import alarms, figures, provider_state, ready, situation
from mailaccounts.services.signing_in import server_certificates
from mailaccounts.services.trail.remedies import WORDS, remedy_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from django.http import HttpRequest, HttpResponse

    from mailaccounts.admin.charts import Chart
    from mailaccounts.presets import ProviderLimits
    from mailaccounts.services.running.figures import Group, Numbers

DAYS, HOURS = 90, 48
NOTHING = "none"  # the name of the kind of sign-in that an account without one has


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What has to be done for so many accounts, and the commonest errors among them."""

    remedy: str
    words: str
    accounts: int
    codes: list[tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """An account that hasn't been synced for long."""

    pk: int
    address: str
    since: str
    code: str
    failures: int


def page(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """The dashboard, for whoever may see accounts."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    groups = figures.groups()
    days = figures.days(DAYS) | {timezone.localdate(): figures.by_kind_and_state(groups)}
    lag = situation.lag()
    context = {
        "title": "Dashboard",
        "accounts": sum(group.accounts for group in groups),
        "kinds": _kinds(days),
        "states": _states(days),
        "messages_per_hour": _hours(),
        "lag": lag,
        "spreads": [("Since the last good sync", _spans(lag.since_sync)), ("Behind its turn", _spans(lag.behind))],
        "late": [_late(account) for account in lag.worst],
        "queue": situation.queue(),
        "troubles": _troubles(groups),
        "servers": [(server, _allowed(server.limits)) for server in provider_state.servers(groups)],
        "deadlines": [(end, _ending(end)) for end in provider_state.deadlines(groups)],
        "wrong": ready.away(),
        "alarms": alarms.raised(),
        "certificates": server_certificates.ending(),
        "secrets": situation.secrets(),
        "idle": situation.idle_grants(),
        "idle_ends": situation.IDLE_ENDS.days,
    }
    return pages.render(model_admin, request, "mailaccount/dashboard", **context)


def _kinds(days: Mapping[date, Numbers]) -> Chart:
    """From password to OAuth, as a picture: accounts by what they sign in with."""
    columns = [
        (_day(day), {kind or NOTHING: sum(states.values()) for kind, states in numbers.items()})
        for day, numbers in days.items()
    ]
    seen = {kind for _, numbers in columns for kind in numbers}
    known = [slug for slug in (*backends(), NOTHING) if slug in seen]
    return bars(columns, [(kind, _label(kind)) for kind in (*known, *sorted(seen - set(known)))])


def _states(days: Mapping[date, Numbers]) -> Chart:
    columns = []
    for day, numbers in days.items():
        states: Counter[str] = Counter()
        for each in numbers.values():
            states.update(each)
        columns.append((_day(day), states))
    seen = {state for _, states in columns for state in states}
    return bars(columns, [(state, label) for state, label in STATES if state in seen])


def _hours() -> Chart:
    """Of the messages that were examined, those that were stored and those that weren't."""
    columns = [
        (
            date_format(timezone.localtime(hour.start), "j M, H:i"),
            {"stored": hour.stored, "examined": max(hour.examined - hour.stored, 0)},
        )
        for hour in figures.hours(HOURS)
    ]
    return bars(columns, [("stored", "Stored"), ("examined", "Examined and not stored")])


def _troubles(groups: Iterable[Group]) -> list[Trouble]:
    failing = [group for group in groups if group.code and group.state != AccountStatus.DISCONNECTED]
    codes = figures.total(failing, lambda group: group.code)
    found: dict[Any, list[tuple[str, int]]] = {}
    for code, accounts in codes.most_common():
        found.setdefault(remedy_of(code), []).append((code, accounts))
    troubles = [
        Trouble(remedy=remedy, words=WORDS[remedy], accounts=sum(number for _, number in each), codes=each[:4])
        for remedy, each in found.items()
    ]
    return sorted(troubles, key=lambda each: -each.accounts)


def _ending(end: provider_state.Deadline) -> str:
    purposes = " and ".join(protocol.upper() for protocol in end.protocols)
    return f"{_label(end.backend)} at {end.provider}, for {purposes}"


def _allowed(limits: ProviderLimits) -> str:
    """What a provider allows a mailbox, in words; "" where it doesn't say."""
    parts = []
    if limits.connections:
        parts.append(f"{limits.connections} connections")
    if limits.commands_per_ten_minutes:
        parts.append(f"{limits.commands_per_ten_minutes:,} commands in ten minutes")
    if limits.download_bytes_per_day:
        parts.append(f"{filesizeformat(limits.download_bytes_per_day)} a day")
    return ", ".join(parts)


def _late(account: Any) -> Late:
    return Late(
        pk=account.pk,
        address=account.address,
        since=_span((timezone.now() - account.seen).total_seconds()),
        code=account.status_code,
        failures=account.failures,
    )


def _spans(spread: situation.Spread) -> tuple[str, str, str]:
    return _span(spread.p50), _span(spread.p95), _span(spread.most)


def _span(seconds: float) -> str:
    if seconds < 60:
        return f"{int(seconds)} s"
    now = timezone.now()
    return timesince(now - timedelta(seconds=seconds), now, depth=1)


def _day(day: date) -> str:
    return date_format(day, "j M Y")


def _label(kind: str) -> str:
    if kind == NOTHING:
        return "Nothing"
    backend = backends().get(kind)
    return str(backend.label) if backend else kind
