"""That recurring work gets done is noted, so that everybody can tell when it stops: by the database's clock, for those
of machines may differ."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import DurationField, ExpressionWrapper, F
from django.db.models.functions import Now

from mailaccounts import __version__
from mailaccounts.models import Beat

if TYPE_CHECKING:
    from django.db.models import QuerySet

TICK = "tick"
WATCHER = "watcher "
WEB = "web "
ALIVE = timedelta(minutes=5)  # a process that was silent for longer is gone

AGO = ExpressionWrapper(Now() - F("at"), output_field=DurationField())


def note(name: str) -> None:
    """A worker has come to the end of this work, or the process of this name lives."""
    Beat.objects.update_or_create(name=name, defaults={"at": Now(), "version": __version__})


def forget(name: str) -> None:
    """The process of this name has ended as it should."""
    Beat.objects.filter(name=name).delete()


def seconds_since(name: str) -> float | None:
    """How long ago that was; None when it never was."""
    ago = Beat.objects.filter(name=name).values_list(AGO, flat=True).first()
    return None if ago is None else ago.total_seconds()


def take_turn(name: str, *, every: timedelta) -> bool:
    """Whether it is time for work that is done once in so long, whoever does it; then nobody else's any more."""
    _, created = Beat.objects.get_or_create(name=name, defaults={"at": Now()})
    return created or bool(Beat.objects.filter(name=name, at__lte=Now() - every).update(at=Now()))


def processes(kind: str = "") -> QuerySet[Any]:
    """The workers, watchers and web servers that have given a sign of life, those that are silent by now included, and
    how long ``ago`` that was."""
    return Beat.objects.filter(name__startswith=kind or "w").filter(name__contains=" ").annotate(ago=AGO)
