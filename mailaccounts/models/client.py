"""OAuthClient: who we are to an identity provider."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from mailaccounts.fields import SealedField


class ClientProof(models.TextChoices):
    """How a registration proves that it is us."""

    SECRET = "secret", _("Client secret")
    CERTIFICATE = "certificate", _("Certificate")
    SERVICE_ACCOUNT = "service_account", _("Service account key")


class OAuthClient(models.Model):
    """Our app registration with an identity provider. A provider may have several: one for each tenant, say.

    ``client_secret`` is what ``proof`` says: the secret, the PEM of a private key with its certificate (Microsoft), or
    the JSON of a key (Google). ``next_secret`` is a new one beside it, which takes over once the old one is refused.
    ``authority`` is the provider's base URL, for any OpenID Connect provider its issuer. ``scopes`` replaces those the
    provider's code asks for; empty leaves them. ``app_only``: an administrator has switched on access without users.
    ``in_settings``: the settings named it, and say what its secret is while they do.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.SlugField(max_length=40)
    name = models.CharField(max_length=80)
    tenant = models.CharField(max_length=80, blank=True)
    authority = models.URLField(max_length=400)
    client_id = models.CharField(max_length=200)
    proof = models.CharField(max_length=16, choices=ClientProof, default=ClientProof.SECRET)
    client_secret = SealedField()
    secret_expires_on = models.DateField(null=True, blank=True)
    next_secret = SealedField(null=True)
    next_secret_expires_on = models.DateField(null=True, blank=True)
    scopes = models.TextField(blank=True)
    app_only = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    in_settings = models.BooleanField(default=False, editable=False)
    alarm_code = models.CharField(max_length=40, blank=True)
    alarm_at = models.DateTimeField(null=True, blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("app registration")
        verbose_name_plural = _("app registrations")
        constraints = [
            models.UniqueConstraint("provider", "authority", "client_id", name="oauthclient_once"),
            models.CheckConstraint(condition=models.Q(proof__in=ClientProof.values), name="oauthclient_proof_known"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def has_next_secret(self) -> bool:
        """Whether a secret waits to take over; opens nothing."""
        return self.__dict__.get("next_secret") is not None
