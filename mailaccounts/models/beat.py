"""Beat: when work that recurs was last done, and a sign of life of each process that does any."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Beat(models.Model):
    """At ``at`` a worker came to the end of the work ``name``, "tick" say; or the process of that name ("worker …",
    "watcher …") was alive, and ran this ``version`` of the app."""

    name = models.CharField(max_length=80, primary_key=True)
    at = models.DateTimeField()
    version = models.CharField(max_length=40, blank=True)

    class Meta:
        verbose_name = _("beat")
        verbose_name_plural = _("beats")

    def __str__(self) -> str:
        return self.name
