"""TenantAccess: an organisation whose administrator let us open its mailboxes."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _


class TenantAccess(models.Model):
    """App-only access to one tenant (a Microsoft 365 directory, a Google Workspace domain) with one registration.

    ``consented_by`` is the administrator as a validated ID token named them; ``proven_at`` when a token with the
    ``roles`` we need was obtained. ``canary`` is a mailbox that must be refused: access is used only while ``is_on``,
    and ``is_on`` only after the canary *was* refused, at ``canary_refused_at``. ``code`` says why it isn't on.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    client = models.ForeignKey("mailaccounts.OAuthClient", models.CASCADE, related_name="tenants")
    tenant = models.CharField(max_length=80)
    consented_by = models.CharField(max_length=320, blank=True)
    consented_at = models.DateTimeField(null=True, blank=True)
    roles = models.TextField(blank=True)
    proven_at = models.DateTimeField(null=True, blank=True)
    canary = models.EmailField(max_length=254, blank=True)
    canary_checked_at = models.DateTimeField(null=True, blank=True)
    canary_refused_at = models.DateTimeField(null=True, blank=True)
    is_on = models.BooleanField(default=False)
    code = models.CharField(max_length=40, blank=True)

    class Meta:
        verbose_name = _("organisation")
        verbose_name_plural = _("organisations")
        constraints = [
            models.UniqueConstraint("client", "tenant", name="tenantaccess_once"),
            models.CheckConstraint(
                condition=models.Q(is_on=False)
                | models.Q(is_on=True, canary_refused_at__isnull=False, proven_at__isnull=False),
                name="tenantaccess_on_only_after_the_canary",
            ),
        ]

    def __str__(self) -> str:
        return self.tenant
