"""Folder: a mailbox folder with the cursor of its sync."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from mailaccounts.mail.types import FolderRole

__all__ = ["Folder", "FolderRole"]


class Folder(models.Model):
    """The cursor of a folder, for one ``uidvalidity`` (RFC 9051 §2.3.1.1). It belongs to the folder and not to a
    credential, so changing how an account signs in downloads nothing again.

    UIDs from ``history_until`` on arrived after the folder was first seen: all up to ``last_uid`` were examined. Those
    below it are history, which is gone through from the newest down: what is left of it lies below ``history_below``,
    0 when nothing is. The pass under way takes what came on ``history_to`` or later (None: everything) and leaves out
    what earlier passes took, which came on ``history_since`` or later; ``history_done`` of ``history_total`` messages
    of it were examined. ``older`` messages than that are left alone, as
    of the end of the last pass.

    ``uidnext``, ``exists`` and ``highestmodseq`` are what the server said when the folder was last gone through: while
    its STATUS says the same there is nothing to do. ``flags_at`` is when the flags of stored messages were last
    compared one by one; the next of these comparisons goes on below the UID ``flags_below``. ``changed_at`` is when
    something was last new here. ``mailbox_id`` is the server's own name for it (RFC 8474), "" where it has none.
    ``narrow`` is how many messages are asked for at a time since the server broke off when it was more, 0
    for no limit. ``put_off`` when the last sync ran out of time before this folder's turn. ``joining`` are the UIDs, a
    set as IMAP writes it, of messages that were left alone until their conversation turned out to have a contact in
    another folder: they are still to be stored. ``looked_for`` as MailAccount has it.
    """

    account = models.ForeignKey("mailaccounts.MailAccount", models.CASCADE, related_name="folders")
    name = models.CharField(max_length=1000)
    role = models.CharField(max_length=8, default=FolderRole.OTHER)
    mailbox_id = models.CharField(max_length=255, blank=True)

    uidvalidity = models.PositiveBigIntegerField(null=True, blank=True)
    last_uid = models.PositiveBigIntegerField(default=0)
    history_until = models.PositiveBigIntegerField(default=0)
    history_below = models.PositiveBigIntegerField(default=0)
    history_since = models.DateField(null=True, blank=True)
    history_to = models.DateField(null=True, blank=True)
    history_total = models.PositiveBigIntegerField(default=0)
    history_done = models.PositiveBigIntegerField(default=0)
    older = models.PositiveBigIntegerField(default=0)

    uidnext = models.PositiveBigIntegerField(default=0)
    exists = models.PositiveBigIntegerField(default=0)
    highestmodseq = models.PositiveBigIntegerField(null=True, blank=True)
    flags_at = models.DateTimeField(null=True, blank=True)
    flags_below = models.PositiveBigIntegerField(default=0)

    examined = models.PositiveBigIntegerField(default=0)
    synced_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(null=True, blank=True)
    narrow = models.PositiveIntegerField(default=0)
    put_off = models.BooleanField(default=False)
    joining = models.TextField(blank=True)
    looked_for = models.PositiveBigIntegerField(default=0)
    missing_since = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("folder")
        verbose_name_plural = _("folders")
        constraints = [
            models.UniqueConstraint("account", "name", name="folder_once_per_account"),
            models.CheckConstraint(condition=models.Q(role__in=list(FolderRole)), name="folder_role_known"),
        ]

    def __str__(self) -> str:
        """Not the name, which is its owner's: the admin and error reports print this."""
        return f"{self.role} {self.pk}"
