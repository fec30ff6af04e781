"""Alarm: something is wrong with the installation itself, and whoever runs it has to act."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class AlarmKind(models.TextChoices):
    BROKER = "broker", _("The broker is out of reach")
    CACHE = "cache", _("The cache is out of reach")
    WORKERS = "workers", _("No worker ticks")
    WATCHER = "watcher", _("A watcher was lost")
    QUEUE = "queue", _("Too many jobs wait")
    LAG = "lag", _("Accounts are late")
    DATABASE = "database", _("The database broke off work")
    DISK = "disk", _("A disk is full")
    VERSION = "version", _("A process runs another version")
    CLIENT = "client", _("An app registration doesn't work")
    SECRET = "secret", _("A client secret ends")
    CANARY = "canary", _("An organisation's access is off")
    CERTIFICATE = "certificate", _("A mail server's certificate ends")
    WEBHOOK = "webhook", _("The webhook's target doesn't answer")


class Alarm(models.Model):
    """``words`` are what is wrong with ``subject`` of this ``kind`` and what helps, without an address.

    It was seen first at ``since``, and is ``raised_at`` the next look, if it still is so. One that isn't seen any more
    since ``gone_at`` is over ``until`` then, after another look. ``told_at`` is when the ADMINS were told, null while
    they have yet to be.
    """

    kind = models.CharField(max_length=12, choices=AlarmKind)
    subject = models.CharField(max_length=300, blank=True)
    words = models.TextField()
    since = models.DateTimeField()
    raised_at = models.DateTimeField(null=True, blank=True)
    gone_at = models.DateTimeField(null=True, blank=True)
    until = models.DateTimeField(null=True, blank=True)
    told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("alarm")
        verbose_name_plural = _("alarms")
        constraints = [
            models.UniqueConstraint("kind", "subject", condition=models.Q(until__isnull=True), name="alarm_open_once"),
            models.CheckConstraint(condition=models.Q(kind__in=AlarmKind.values), name="alarm_kind_known"),
        ]
        indexes = [models.Index(fields=["-since"], name="alarm_newest_first")]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
