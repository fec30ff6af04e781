"""That recurring work gets done is noted, so that everybody can tell when it stops."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from mailaccounts import __version__
from mailaccounts.models import Beat

if TYPE_CHECKING:
    from django.db.models import QuerySet

TICK = "tick"
WATCHER = "watcher "
WEB = "web "
ALIVE = timedelta(minutes=5)  # a process that was silent for longer is gone


def note(name: str) -> None:
    """A worker has come to the end of this work, or the process of this name lives."""
    Beat.objects.update_or_create(name=name, defaults={"at": timezone.now(), "version": __version__})


def forget(name: str) -> None:
    """The process of this name has ended as it should."""
    Beat.objects.filter(name=name).delete()


def seconds_since(name: str) -> float | None:
    """How long ago that was; None when it never was."""
    beat = Beat.objects.filter(name=name).first()
    return (timezone.now() - beat.at).total_seconds() if beat else None


def take_turn(name: str, *, every: timedelta) -> bool:
    """Whether it is time for work that is done once in so long, whoever does it; then nobody else's any more."""
    now = timezone.now()
    _, created = Beat.objects.get_or_create(name=name, defaults={"at": now})
    return created or bool(Beat.objects.filter(name=name, at__lte=now - every).update(at=now))


def processes(kind: str = "") -> QuerySet[Beat]:
    """The workers, watchers and web servers that have given a sign of life, those that are silent by now included."""
    return Beat.objects.filter(name__startswith=kind or "w").filter(name__contains=" ")
