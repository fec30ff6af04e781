"""ServerCertificate: until when a mail server of an organisation's own shows a certificate that is good."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class ServerCertificate(models.Model):
    """The certificate that a sign-in met at ``seen_at``; noted once a day."""

    host = models.CharField(max_length=253)
    port = models.PositiveIntegerField()
    not_after = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        verbose_name = _("certificate of a mail server")
        verbose_name_plural = _("certificates of mail servers")
        constraints = [models.UniqueConstraint("host", "port", name="servercertificate_once")]

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"
