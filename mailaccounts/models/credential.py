"""Credential: one way an account signs in, now, soon or until a moment ago."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from mailaccounts.fields import SealedField


class CredentialState(models.TextChoices):
    PENDING = "pending", _("Being proven")
    ACTIVE = "active", _("In use")
    RETIRED = "retired", _("Kept for rolling back")


class Credential(models.Model):
    """``secret`` is what a FormBackend accepted; a ConsentBackend has a ``grant`` instead.

    ``username`` is the login name, which may differ from the address and from one credential to the next; with OAuth
    it is the mailbox that is opened. ``smtp_username`` is who signs in to send where that is somebody else: the person
    behind a shared mailbox.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey("mailaccounts.MailAccount", models.CASCADE, related_name="credentials")
    backend = models.CharField(max_length=40)
    username = models.CharField(max_length=320)
    smtp_username = models.CharField(max_length=320, blank=True)
    secret = SealedField(null=True, bound_to=("pk", "account_id"))
    grant = models.ForeignKey("mailaccounts.Grant", models.PROTECT, null=True, blank=True, related_name="credentials")
    state = models.CharField(max_length=8, choices=CredentialState, default=CredentialState.PENDING)
    created_at = models.DateTimeField(auto_now_add=True)
    proven_at = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("credential")
        verbose_name_plural = _("credentials")
        constraints = [
            models.UniqueConstraint(
                "account",
                condition=models.Q(state=CredentialState.ACTIVE),
                name="credential_one_active_per_account",
            ),
            models.UniqueConstraint(
                "account",
                condition=models.Q(state=CredentialState.PENDING),
                name="credential_one_pending_per_account",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=CredentialState.values), name="credential_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(secret__isnull=False) ^ models.Q(grant__isnull=False),
                name="credential_secret_or_grant",
            ),
            models.CheckConstraint(
                condition=models.Q(state=CredentialState.RETIRED, retired_at__isnull=False)
                | (~models.Q(state=CredentialState.RETIRED) & models.Q(retired_at__isnull=True)),
                name="credential_retired_has_date",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.backend} ({self.get_state_display()})"
