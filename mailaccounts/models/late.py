"""LateSearch: whom to look for in mail of the past."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class LateSearch(models.Model):
    """``patterns`` became known: addresses, or ``@domain``. Every mailbox whose owner lets it look back does so with
    one of its next syncs; those have whose ``MailAccount.looked_for`` has come to this row's number.
    """

    patterns = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("late search")
        verbose_name_plural = _("late searches")

    def __str__(self) -> str:
        """Not for whom: error reports print this."""
        return f"late search {self.pk}"
