"""Beat: when work that recurs was last done, by whichever worker."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Beat(models.Model):
    """At ``at`` a worker came to the end of the work ``name``: "tick" or "day"."""

    name = models.CharField(max_length=20, primary_key=True)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("beat")
        verbose_name_plural = _("beats")

    def __str__(self) -> str:
        return self.name
