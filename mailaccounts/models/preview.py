"""Preview: what would be stored of a mailbox that nothing is stored of yet."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Preview(models.Model):
    """Counts of mail since ``since`` (None: all of it), made from headers alone. It goes when the first sync begins.

    ``examined`` messages were looked at, of which ``matched`` would be stored: ``people`` are the contacts that take
    part in most of them, as [address, messages], ``known`` is how many contacts there are in all. While it is counted
    ``ended`` is empty; then it is one of ``Ending``, or the code of the error that it ended with, and ``problem`` says
    what that was, in a person's words.
    """

    account = models.OneToOneField("mailaccounts.MailAccount", models.CASCADE, related_name="preview")
    since = models.DateField(null=True, blank=True)
    asked_at = models.DateTimeField()
    examined = models.PositiveIntegerField(default=0)
    matched = models.PositiveIntegerField(default=0)
    known = models.PositiveIntegerField(default=0)
    people = models.JSONField(default=list)
    ended = models.CharField(max_length=40, blank=True)
    problem = models.TextField(blank=True)

    class Meta:
        verbose_name = _("preview")
        verbose_name_plural = _("previews")

    def __str__(self) -> str:
        return f"{self.account_id}"


class Ending(models.TextChoices):
    """How counting ended, unless with an error."""

    COMPLETE = "complete", _("Everything was counted")
    LONG_ENOUGH = "long_enough", _("Stopped after a while")
