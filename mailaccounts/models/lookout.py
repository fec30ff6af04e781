"""Lookout: a watcher that is alive."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Lookout(models.Model):
    """The watcher ``token`` is alive until the instant ``until`` of the database's clock, and longer if it gives
    another sign of life. Until then accounts whose ``watcher`` it is are its own; it can have ``most`` of them."""

    token = models.CharField(max_length=32, primary_key=True)
    most = models.PositiveIntegerField()
    until = models.DateTimeField()

    class Meta:
        verbose_name = _("lookout")
        verbose_name_plural = _("lookouts")

    def __str__(self) -> str:
        return self.token
