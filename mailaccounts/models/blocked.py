"""Blocked: whom the owner of mailboxes wants nothing stored of, contact or not."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Blocked(models.Model):
    """An address or a domain, as ``rules.blocking.pattern_of`` writes it, that never counts as known for its owner's
    mailboxes. Nobody else is shown it."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="blocked_addresses")
    pattern = models.CharField(max_length=320)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("blocked address")
        verbose_name_plural = _("blocked addresses")
        constraints = [models.UniqueConstraint("owner", "pattern", name="blocked_once")]

    def __str__(self) -> str:
        """Not the pattern, which is its owner's: error reports print this."""
        return f"{self.pk}"
