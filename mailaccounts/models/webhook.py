"""WebhookDelivery: an event that the host's webhook is told, and how far that is."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

EVENTS = (
    *("account.status_changed", "credential.switched", "outgoing.changed", "message.stored"),
    *("alarm.raised", "alarm.cleared"),
)


class WebhookDelivery(models.Model):
    """``payload`` holds ids and codes, never an address. At ``next_at`` it is tried, again after each failure, until
    it is delivered or given up. ``last_status`` is the target's last answer (HTTP), ``last_code`` our error where
    there was none."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    event = models.CharField(max_length=40, choices=[(each, each) for each in EVENTS])
    payload = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    given_up_at = models.DateTimeField(null=True, blank=True)
    last_status = models.PositiveSmallIntegerField(null=True, blank=True)
    last_code = models.CharField(max_length=40, blank=True)

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        permissions = [("resend_webhookdelivery", "Can send webhook deliveries again")]
        indexes = [
            models.Index(fields=["next_at"], condition=models.Q(next_at__isnull=False), name="webhookdelivery_due"),
            models.Index(fields=["-created_at"], name="webhookdelivery_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.pk}"
