"""Erasing: stored mail that is on its way out because of whom it is with, and how far that is."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Why(models.TextChoices):
    """What made mail superfluous."""

    REMOVED = "removed", _("Not a contact any more")
    BARRED = "barred", _("Barred")
    BLOCKED = "blocked", _("Blocked by the mailbox's owner")
    PERSON = "person", _("A person's data was erased")


class Erasing(models.Model):
    """Erases conversations with ``patterns`` (addresses, or ``@domain``) in which nobody known takes part any more;
    of a PERSON each message that they take part in, whoever else does. In the mailboxes of ``owner``, or in all for
    None. ``asked_by`` may watch it.

    ``syncs`` were at work when it began, and still are, as [account, lease]: they may store what is to be erased.
    ``done`` of ``total`` conversations were looked at, and ``messages`` erased, ``erased``
    by the account's number. Once it is over, at ``done_at``, it
    knows of nobody any more: ``patterns`` are empty. A worker has it until ``worked_until``.
    """

    why = models.CharField(max_length=8, choices=Why)
    patterns = models.JSONField(default=list)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")

    syncs = models.JSONField(null=True, editable=False)
    total = models.PositiveIntegerField(null=True, blank=True)
    done = models.PositiveIntegerField(default=0)
    messages = models.PositiveIntegerField(default=0)
    erased = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    worked_until = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("erasing")
        verbose_name_plural = _("erasings")
        constraints = [models.CheckConstraint(condition=models.Q(why__in=Why.values), name="erasing_why_known")]
        indexes = [models.Index(fields=["id"], condition=models.Q(done_at__isnull=True), name="erasing_under_way")]

    def __str__(self) -> str:
        """Not whom it is about: error reports print this."""
        return f"{self.why} {self.pk}"
