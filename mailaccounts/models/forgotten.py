"""Forgotten: a message that was erased and is not to come back."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Forgotten(models.Model):
    """The ``fingerprint`` of a message that was erased with all mail with a person, whoever else is in it: syncs leave
    it alone. Nothing can be told from it of the message, or the person."""

    account = models.ForeignKey("mailaccounts.MailAccount", models.CASCADE, related_name="forgotten")
    fingerprint = models.CharField(max_length=64)

    class Meta:
        verbose_name = _("forgotten message")
        verbose_name_plural = _("forgotten messages")
        constraints = [models.UniqueConstraint("account", "fingerprint", name="forgotten_once_per_account")]

    def __str__(self) -> str:
        return self.fingerprint
