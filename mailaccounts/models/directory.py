"""DirectoryChange: who became known, or is not any more."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class DirectoryChange(models.Model):
    """The host came to know ``patterns`` (addresses, or ``@domain``), or, unless ``added``, knows them no more.

    The host is told of the stored messages with them, all up to the one ``told_to``, until ``told_at``; a worker is at
    it until ``worked_until``. For those added every mailbox that looks back does so with one of its next syncs: those
    have whose ``MailAccount.looked_for`` has come to this row's number. Whom an ``owner`` blocks no more, only theirs
    look for.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    patterns = models.JSONField(default=list)
    added = models.BooleanField()
    told_to = models.PositiveBigIntegerField(default=0)
    told_at = models.DateTimeField(null=True, blank=True)
    worked_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("change of the directory")
        verbose_name_plural = _("changes of the directory")
        indexes = [
            models.Index(fields=["id"], condition=models.Q(told_at__isnull=True), name="directorychange_untold")
        ]

    def __str__(self) -> str:
        """Not who: error reports print this."""
        return f"{'added' if self.added else 'removed'} {self.pk}"
