"""Claims on rows, taken by conditional UPDATE: each lasts until an instant in a column of the row, so a worker that is
lost lets go by falling silent. The database's clock decides; machines need not agree on the time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Q
from django.db.models.functions import Now

if TYPE_CHECKING:
    from django.db.models.expressions import CombinedExpression


def free(until: str) -> Q:
    """The rows that nobody has a claim on, which is in the column ``until``."""
    return Q(**{until: None}) | Q(**{f"{until}__lt": Now()})


def lasting(seconds: float) -> CombinedExpression:
    """Until when a claim lasts that is taken now."""
    return Now() + timedelta(seconds=seconds)
