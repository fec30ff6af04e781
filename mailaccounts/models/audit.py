"""AuditEntry: what was done with an account, by whom, when. Outlives the account."""

from __future__ import annotations

import json
import uuid
from datetime import UTC
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class AuditAction(models.TextChoices):
    CONNECTED = "connected", _("Connected")
    RECONNECTED = "reconnected", _("Reconnected")
    SWITCHED = "switched", _("Changed how it signs in")
    ROLLED_BACK = "rolled_back", _("Went back to how it signed in before")
    SECRET_DESTROYED = "secret_destroyed", _("Destroyed what it had signed in with before")
    TENANT_CHANGED = "tenant_changed", _("Access to an organisation changed")
    HOSTS_CHANGED = "hosts_changed", _("Changed its servers")
    CONSENT_REFUSED = "consent_refused", _("A consent came to nothing")
    REFRESH_FAILED = "refresh_failed", _("The permission ended")
    SHARED = "shared", _("Changed what colleagues see")
    SHOWN = "shown", _("Hid a message from colleagues, or revealed it")
    DISCONNECTED = "disconnected", _("Disconnected")
    HANDED_OVER = "handed_over", _("Has its mail handed over")
    KEEPING = "keeping", _("Changed how long its mail is kept")
    EXPORTED = "exported", _("Told somebody what is stored about a person")
    ERASED = "erased", _("Erased some of its mail")
    PAUSED = "paused", _("Paused")
    RESUMED = "resumed", _("Resumed")
    ASKED = "asked", _("Asked its owner to sign in again")
    TESTED = "tested", _("Tested its connection")
    OPENED = "opened", _("Opened its mail, giving a reason")
    CLOSED = "closed", _("Closed its mail before the time was up")
    TRAIL_EXPORTED = "trail_exported", _("Exported the audit trail")


class AuditEntry(models.Model):
    """One thing that happened. Written once, never changed; no content of mail, no secret.

    ``owner`` may read it, whoever acted; ``account`` and ``address`` are those of a mailbox that may be gone, or that
    never came to be connected: its number is 0.
    ``facts`` are plain values in JSON; for DISCONNECTED they are the receipt. What came of it later is an entry of its
    own, whose facts name that one as ``receipt``. ``signature`` is for its ``statement``, "" where there was no key.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    at = models.DateTimeField(default=timezone.now, editable=False)
    action = models.CharField(max_length=20, choices=AuditAction)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", help_text=_("Empty: we.")
    )
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    account = models.PositiveBigIntegerField()
    address = models.CharField(max_length=254)
    facts = models.JSONField(default=dict)
    signature = models.CharField(max_length=200, blank=True, editable=False)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        permissions = [("export_auditentry", "Can export the audit trail")]
        ordering = ("-at",)
        constraints = [
            models.CheckConstraint(condition=models.Q(action__in=AuditAction.values), name="auditentry_action_known"),
        ]
        indexes = [
            models.Index(fields=["account", "-at"], name="auditentry_by_account"),
            models.Index(fields=["-at", "-id"], name="auditentry_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.account}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Writes a new entry; TypeError for one that is written already."""
        if not self._state.adding:
            raise TypeError("an audit entry is written once")
        super().save(*args, **kwargs)

    @property
    def statement(self) -> str:
        """What is signed of it: all that stays as it was written. Users may be renamed and deleted, so that those who
        have to be named in it are in the facts."""
        told = {
            "id": str(self.pk),
            "at": self.at.astimezone(UTC).isoformat(),
            "action": str(self.action),
            "account": self.account,
            "address": self.address,
            "facts": self.facts,
        }
        return json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
