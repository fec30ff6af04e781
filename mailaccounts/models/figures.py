"""DailyFigures and HourlyFigures: how an installation was doing, in numbers."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class DailyFigures(models.Model):
    """How many accounts there were on a day: ``accounts`` by kind of sign-in ("" for none) and, within it, by state
    (services.running.figures.State)."""

    day = models.DateField(primary_key=True)
    accounts = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("daily figures")
        verbose_name_plural = _("daily figures")

    def __str__(self) -> str:
        return self.day.isoformat()


class HourlyFigures(models.Model):
    """How many messages all accounts together had examined and stored by the time an hour began."""

    hour = models.DateTimeField(primary_key=True)
    examined = models.PositiveBigIntegerField()
    stored = models.PositiveBigIntegerField()

    class Meta:
        verbose_name = _("hourly figures")
        verbose_name_plural = _("hourly figures")

    def __str__(self) -> str:
        return self.hour.isoformat()
