"""What signing in has to remember beside allauth's own tables."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from mailaccounts.models import SealedText


class SecondFactorSecret(SealedText):
    """What an authenticator app and the recovery codes come from. allauth's own row holds only the id."""

    class Meta:
        verbose_name = _("secret of a second step")
        verbose_name_plural = _("secrets of second steps")


class DeclinedMailbox(models.Model):
    """A mailbox whose owner doesn't want to be asked again to connect it; ``address`` in lower case."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    address = models.EmailField(max_length=254)

    class Meta:
        verbose_name = _("declined mailbox")
        verbose_name_plural = _("declined mailboxes")
        constraints = [models.UniqueConstraint(fields=["user", "address"], name="declined_mailbox_once")]

    def __str__(self) -> str:
        return self.address
