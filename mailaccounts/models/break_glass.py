"""BreakGlass: somebody other than its owner looks at a mailbox's mail for a while, having said why."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class BreakGlass(models.Model):
    """An account's mail is open to ``viewer``, for a ``reason`` in their own words, from ``opened_at`` to ``until``,
    or to ``ended_at`` if that comes first. ``told_at`` is when its owner was told by mail.

    It is kept as long as the account, with what was looked at (``looks``); ``viewer`` is empty once there is no such
    user any more. The audit trail says that it was opened and closed, and not why: a reason may name somebody who has
    a right to be forgotten.
    """

    account = models.ForeignKey("mailaccounts.MailAccount", models.CASCADE, related_name="openings", db_index=False)
    viewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False)
    reason = models.TextField()
    opened_at = models.DateTimeField(_("opened"), auto_now_add=True)
    until = models.DateTimeField(_("open until"))
    ended_at = models.DateTimeField(_("ended before"), null=True, blank=True)
    told_at = models.DateTimeField(_("owner told"), null=True, blank=True)

    class Meta:
        verbose_name = _("opened mailbox")
        verbose_name_plural = _("opened mailboxes")
        permissions = [("open_mail", "Can look at the mail of others, giving a reason")]
        constraints = [
            models.CheckConstraint(condition=~models.Q(reason=""), name="breakglass_has_a_reason"),
        ]
        indexes = [
            models.Index(fields=["account", "-until"], name="breakglass_by_account"),
            models.Index(fields=["viewer", "-until"], name="breakglass_by_viewer"),
            models.Index(fields=["opened_at"], condition=models.Q(told_at=None), name="breakglass_untold"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.viewer_id}"

    @property
    def lasts(self) -> bool:
        return self.ended_at is None and self.until > timezone.now()
