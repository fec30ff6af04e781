"""That recurring work gets done is noted, so that everybody can tell when it stops."""

from __future__ import annotations

from django.utils import timezone

from mailaccounts.models import Beat

TICK = "tick"


def note(name: str) -> None:
    """A worker has come to the end of this work."""
    Beat.objects.update_or_create(name=name, defaults={"at": timezone.now()})


def seconds_since(name: str) -> float | None:
    """How long ago that was; None when it never was."""
    beat = Beat.objects.filter(name=name).first()
    return (timezone.now() - beat.at).total_seconds() if beat else None
