"""Look: somebody other than its owner was shown what a message says. Written once, for the owner to see."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

LISTED = "Looked through the list of conversations"  # why somebody looked at no message in particular


class Look(models.Model):
    """Who was shown what of an account's mail, when, and where or what for (``why``, in words). No content of mail, no
    word on whom it is with: looks outlast those who are erased.

    ``message`` is empty once that is erased, and when conversations were only LISTED; ``viewer`` once there is no such
    user any more. ``opened`` is what let them look, where the owner didn't.
    """

    account = models.ForeignKey("mailaccounts.MailAccount", models.CASCADE, related_name="looks")
    message = models.ForeignKey("mailaccounts.Message", models.SET_NULL, null=True, related_name="looks")
    opened = models.ForeignKey("mailaccounts.BreakGlass", models.CASCADE, null=True, related_name="looks")
    viewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    why = models.CharField(max_length=200)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("look")
        verbose_name_plural = _("looks")
        indexes = [models.Index(fields=["account", "-at"], name="look_by_account")]

    def __str__(self) -> str:
        return f"{self.viewer_id} {self.message_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Writes a new look; TypeError for one that is written already."""
        if not self._state.adding:
            raise TypeError("a look is written once")
        super().save(*args, **kwargs)

    @property
    def is_of_list(self) -> bool:
        return self.why == LISTED
