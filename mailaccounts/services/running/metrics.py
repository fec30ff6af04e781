"""The installation in numbers, as Prometheus reads them: out of the database, so that every process tells the same.

The number of queries doesn't depend on how many accounts there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Count
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from mailaccounts.models import IN_THE_POST, Outgoing, OutgoingState
from mailaccounts.services.running import alarms, figures, situation
from mailaccounts.services.trail import beats
from mailaccounts.services.trail.remedies import remedy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mailaccounts.services.running.figures import Group
    from mailaccounts.services.running.situation import Spread

__all__ = ["CONTENT_TYPE_LATEST", "exposition"]

WATCHED_STATES = (*IN_THE_POST, OutgoingState.FAILED)  # of drafts and sent messages there may be millions


def exposition() -> bytes:
    """All numbers in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Numbers())
    return generate_latest(registry)


class _Numbers:
    def collect(self) -> Iterator[GaugeMetricFamily]:
        groups = figures.groups()
        yield _accounts(groups)
        yield _errors(groups)
        lag = situation.lag()
        yield _spread("sync_age", "How long ago accounts that go by themselves were synced", lag.since_sync)
        yield _spread("sync_lag", "How far accounts that go by themselves are behind their turn", lag.behind)
        queue = situation.queue()
        yield _one("queue_reachable", "Whether the broker answers", float(queue.jobs is not None))
        if queue.jobs is not None:
            yield _one("queue_jobs", "Jobs that wait for a worker", queue.jobs)
        yield _one("accounts_due", "Accounts whose turn has come and that no worker has", queue.due)
        yield _one("accounts_syncing", "Accounts that a worker has", queue.running)
        yield _one("accounts_watched", "Accounts that a watcher has", queue.watched)
        yield _outgoing()
        yield _alarms()
        if (ago := beats.seconds_since(beats.TICK)) is not None:
            yield _one("tick_age_seconds", "How long ago a worker came to the end of a tick", ago)


def _accounts(groups: list[Group]) -> GaugeMetricFamily:
    family = _family("accounts", "Accounts by state and kind of sign-in", "state", "credential")
    _fill(family, groups, lambda each: (each.state, each.backend or "none"))
    return family


def _errors(groups: list[Group]) -> GaugeMetricFamily:
    family = _family("errors", "Accounts with an error, by what helps", "remedy", "code")
    _fill(family, [each for each in groups if each.code], lambda each: (remedy_of(each.code).value, each.code))
    return family


def _outgoing() -> GaugeMetricFamily:
    family = _family("outgoing", "Messages that are on their way, or couldn't be sent", "state")
    rows = Outgoing.objects.filter(state__in=WATCHED_STATES).order_by().values_list("state")
    counted = dict(rows.annotate(number=Count("pk")))
    for state in WATCHED_STATES:
        family.add_metric([str(state)], counted.get(state, 0))
    return family


def _alarms() -> GaugeMetricFamily:
    family = _family("alarms", "Alarms of the installation's own that are raised now", "kind")
    for kind, number in sorted(alarms.count_by_kind().items()):
        family.add_metric([kind], number)
    return family


def _spread(name: str, text: str, spread: Spread) -> GaugeMetricFamily:
    family = _family(f"{name}_seconds", text, "quantile")
    for quantile, value in (("0.5", spread.p50), ("0.95", spread.p95), ("1", spread.most)):
        family.add_metric([quantile], value)
    return family


def _fill(family: GaugeMetricFamily, groups: list[Group], labels: Callable[[Group], tuple[str, ...]]) -> None:
    for each, number in sorted(figures.total(groups, labels).items()):
        family.add_metric(list(each), number)


def _family(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"mailaccounts_{name}", f"{text}.", labels=labels)


def _one(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"mailaccounts_{name}", f"{text}.", value=value)
