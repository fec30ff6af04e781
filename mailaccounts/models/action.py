"""MailAction: something done with stored messages that is to be done in their mailbox as well."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Act(models.TextChoices):
    READ = "read", _("Mark as read")
    UNREAD = "unread", _("Mark as unread")
    FLAG = "flag", _("Flag")
    UNFLAG = "unflag", _("Take the flag off")
    MOVE = "move", _("Move")


class ActionState(models.TextChoices):
    QUEUED = "queued", _("Waiting")
    WORKING = "working", _("Under way")
    DONE = "done", _("Done")
    REFUSED = "refused", _("Refused")  # and undone here
    UNDONE = "undone", _("Undone")  # before the mail server knew of it


UNFINISHED = (ActionState.QUEUED, ActionState.WORKING)


class MailAction(models.Model):
    """``act`` on the ``messages``, their keys, that lie in ``folder``; a MOVE goes to ``target``. At Gmail, where
    messages lie in "All Mail", a MOVE takes the label ``label`` stands for, and leaves it at that without a
    ``target``.

    What was asked for together is one ``request``; ``undone`` once its user took it back, by one that ``reverses`` it
    where that may have been too late. The actions of an account are carried out one after another, the next not before
    ``next_at``; a worker has one until ``worked_until``, and so many were ``lost`` over it. One that was refused says
    why by ``code`` and ``message``, until its user has ``dismissed`` that.
    """

    request = models.UUIDField(db_index=True)
    account = models.ForeignKey("mailaccounts.MailAccount", models.CASCADE, related_name="actions")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    act = models.CharField(max_length=8, choices=Act)
    folder = models.ForeignKey("mailaccounts.Folder", models.CASCADE, related_name="+")
    label = models.ForeignKey("mailaccounts.Folder", models.CASCADE, null=True, related_name="+")
    target = models.ForeignKey("mailaccounts.Folder", models.CASCADE, null=True, related_name="+")
    messages = models.JSONField(default=list)

    state = models.CharField(max_length=8, choices=ActionState, default=ActionState.QUEUED)
    undone = models.BooleanField(default=False)
    reverses = models.ForeignKey("self", models.SET_NULL, null=True, related_name="+")
    code = models.CharField(max_length=40, blank=True)
    message = models.TextField(blank=True)
    dismissed = models.BooleanField(default=False)
    failures = models.PositiveIntegerField(default=0)
    lost = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    next_at = models.DateTimeField(null=True, blank=True)
    worked_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("action")
        verbose_name_plural = _("actions")
        constraints = [
            models.CheckConstraint(condition=models.Q(act__in=Act.values), name="mailaction_act_known"),
            models.CheckConstraint(condition=models.Q(state__in=ActionState.values), name="mailaction_state_known"),
        ]
        indexes = [
            models.Index(fields=["account", "id"], condition=models.Q(state__in=UNFINISHED), name="mailaction_to_do"),
            models.Index(
                fields=["account"], condition=models.Q(state="refused", dismissed=False), name="mailaction_refused"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.act} {self.pk}"
