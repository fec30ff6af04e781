"""Quarantined: a message that could not be fetched, read or stored, and so didn't stop the others."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Fault(models.TextChoices):
    UNFETCHABLE = "unfetchable", _("The mail server lists it, but doesn't hand it out.")
    UNREADABLE = "unreadable", _("It is damaged in a way that we can't read.")
    UNSTORABLE = "unstorable", _("It holds something that our database can't keep.")


class Quarantined(models.Model):
    """Where the message lies, what is the matter with it (``fault``), its size in octets (0: not known) and when it
    arrived; of what it says, nothing. ``message`` is its row when at least its headers are stored.

    After ``attempts`` in vain the next one is made at ``next_attempt_at``; None when none is made any more unless
    somebody asks for it.
    """

    folder = models.ForeignKey("mailaccounts.Folder", models.CASCADE, related_name="quarantined")
    uidvalidity = models.PositiveBigIntegerField()
    uid = models.PositiveBigIntegerField()
    message = models.ForeignKey(
        "mailaccounts.Message", models.SET_NULL, null=True, blank=True, related_name="quarantined"
    )
    fault = models.CharField(max_length=12, choices=Fault)
    size = models.PositiveBigIntegerField(default=0)
    received_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=1)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("quarantined message")
        verbose_name_plural = _("quarantined messages")
        permissions = [("release_quarantined", "Can have a quarantined message tried again")]
        constraints = [
            models.UniqueConstraint("folder", "uidvalidity", "uid", name="quarantined_once"),
            models.CheckConstraint(condition=models.Q(fault__in=Fault.values), name="quarantined_fault_known"),
        ]
        indexes = [models.Index(fields=["next_attempt_at"], name="quarantined_due")]

    def __str__(self) -> str:
        return f"{self.uidvalidity}/{self.uid}"
