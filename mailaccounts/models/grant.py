"""Grant and ConsentAttempt: what an identity provider granted, and consents under way."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from mailaccounts.fields import SealedField


class GrantStatus(models.TextChoices):
    ACTIVE = "active", _("Active")
    ENDED = "ended", _("Ended")


class Grant(models.Model):
    """What a consent yielded, kept fresh by one refresher at a time.

    A person's consent is pinned to who gave it. An ``app_only`` grant is the registration's own: for Microsoft one
    for each ``tenant``, whose ``subject`` is the client id and which serves many accounts; for Google one for each
    mailbox, which is its ``subject``.

    A refresher claims the grant by raising ``refresh_claim`` and holds it until ``refresh_until``. ``version`` is the
    claim whose rotation is stored: whoever waited can tell that a new token is there, and a refresher that overslept
    its claim never overwrites a newer rotation.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    client = models.ForeignKey("mailaccounts.OAuthClient", models.PROTECT, related_name="grants")
    app_only = models.BooleanField(default=False)
    issuer = models.CharField(max_length=400)
    subject = models.CharField(max_length=255)
    tenant = models.CharField(max_length=80, blank=True)
    object_id = models.CharField(max_length=80, blank=True)
    signed_in_as = models.CharField(max_length=320, blank=True)
    scopes = models.TextField(blank=True)
    state = SealedField(bound_to=("pk", "client_id"))
    access_token = SealedField(bound_to=("pk", "client_id"))
    expires_at = models.DateTimeField()
    status = models.CharField(max_length=8, choices=GrantStatus, default=GrantStatus.ACTIVE)
    version = models.PositiveIntegerField(default=0)
    refresh_claim = models.PositiveIntegerField(default=0)
    refresh_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    refreshed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("grant")
        verbose_name_plural = _("grants")
        constraints = [
            models.CheckConstraint(condition=models.Q(status__in=GrantStatus.values), name="grant_status_known"),
            models.CheckConstraint(
                condition=models.Q(version__lte=models.F("refresh_claim")), name="grant_version_was_claimed"
            ),
            models.UniqueConstraint(
                "client", "tenant", "subject", condition=models.Q(app_only=True), name="grant_one_app_only"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.signed_in_as or self.subject} at {self.client}"


class ConsentAttempt(models.Model):
    """A consent under way: belongs to one signed-in user, lives ten minutes, is used once.

    ``state_hash`` is the SHA-256 of the OAuth state; ``flow`` (state, nonce, PKCE verifier) is sealed. ``account`` is
    None for a mailbox that isn't connected yet; ``wish`` then holds what it is to become (services.connecting.wish).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    account = models.ForeignKey("mailaccounts.MailAccount", models.CASCADE, null=True, blank=True, related_name="+")
    client = models.ForeignKey("mailaccounts.OAuthClient", models.CASCADE, related_name="+")
    backend = models.CharField(max_length=40)
    state_hash = models.CharField(max_length=64, unique=True)
    wish = models.JSONField(default=dict)
    flow = SealedField(bound_to=("pk", "user_id"))
    expires_at = models.DateTimeField()

    class Meta:
        verbose_name = _("consent under way")
        verbose_name_plural = _("consents under way")

    def __str__(self) -> str:
        return f"{self.backend} for {self.account_id or 'a new account'}"
