"""MigrationRun and MigrationStep: accounts on their way from one kind of sign-in to another."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from mailaccounts.rules.migration_states import UNDER_WAY, MigrationState


class MigrationRun(models.Model):
    """Several accounts that an administrator moves together, or the one that its owner moves (``by_owner``).

    ``to`` is the backend they move to, by consent of their owners or with the ``app_only`` access of ``client``.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=80, blank=True)
    to = models.CharField(max_length=40)
    client = models.ForeignKey("mailaccounts.OAuthClient", models.PROTECT, related_name="migrations")
    tenant = models.CharField(max_length=80, blank=True)
    by_owner = models.BooleanField(default=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    deadline = models.DateField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("migration")
        verbose_name_plural = _("migrations")

    def __str__(self) -> str:
        return self.name or f"to {self.to}"


class MigrationStep(models.Model):
    """One account on its way. ``state`` changes by conditional UPDATE only (rules.migration_states says to what).

    ``code`` and ``message`` are the error's, when it failed or waits to be tried again at ``next_at``. ``pilot``
    accounts go first.
    ``invitation`` is the hash of what makes the owner's link work once. ``before`` and ``after`` are backend slugs,
    ``wish`` what the new sign-in is for (services.connecting.wish), ``scopes`` what was granted, ``snapshot`` what the
    server held before the switch, ``certificate`` what a comparison found after it; both name the owner's folders.
    ``fetched_again`` are the bodies that a sync has asked for since the switch though they were stored.
    ``taken_back_by`` is the administrator who wants the account to go back with its group.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(MigrationRun, models.CASCADE, related_name="steps")
    account = models.ForeignKey(
        "mailaccounts.MailAccount", models.SET_NULL, null=True, blank=True, related_name="migrations"
    )
    address = models.CharField(max_length=254)
    pilot = models.BooleanField(default=False)
    state = models.CharField(
        max_length=12, choices=[(each.value, each.value) for each in MigrationState], default=MigrationState.CHOSEN
    )
    code = models.CharField(max_length=40, blank=True)
    message = models.TextField(blank=True)
    before = models.CharField(max_length=40, blank=True)
    after = models.CharField(max_length=40, blank=True)
    scopes = models.TextField(blank=True)
    wish = models.JSONField(default=dict)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True, blank=True)
    fetched_again = models.PositiveIntegerField(default=0)
    snapshot = models.JSONField(null=True, blank=True)
    certificate = models.JSONField(null=True, blank=True)
    invitation = models.CharField(max_length=64, blank=True)
    invited_at = models.DateTimeField(null=True, blank=True)
    invited_until = models.DateTimeField(null=True, blank=True)
    reminders = models.PositiveSmallIntegerField(default=0)
    consented_at = models.DateTimeField(null=True, blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    switched_at = models.DateTimeField(null=True, blank=True)
    taken_back_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    changed_at = models.DateTimeField(auto_now=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("migration step")
        verbose_name_plural = _("migration steps")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=list(MigrationState)), name="migrationstep_state_known"
            ),
            models.UniqueConstraint(
                "account",
                condition=models.Q(state__in=sorted(UNDER_WAY)),
                name="migrationstep_one_under_way",
            ),
        ]
        indexes = [models.Index(fields=["run", "state"], name="migrationstep_board")]

    def __str__(self) -> str:
        return f"{self.state} {self.account_id}"
