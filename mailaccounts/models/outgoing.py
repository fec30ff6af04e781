"""Outgoing: a message that somebody writes here, and how far it is on its way."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailaccounts.models.message import Role


class OutgoingState(models.TextChoices):
    """What is true of the message. Only in SENDING may the server have it without our knowing."""

    DRAFT = "draft", _("Draft")
    QUEUED = "queued", _("Waiting to be sent")
    SENDING = "sending", _("Being sent")
    SENT = "sent", _("Sent")
    UNCERTAIN = "uncertain", _("Perhaps sent")
    FAILED = "failed", _("Not sent")


class Filing(models.TextChoices):
    """Where a sent message is with regard to the Sent folder."""

    DUE = "due", _("Still to be filed in Sent")
    DONE = "done", _("Filed in Sent")
    BY_SERVER = "by_server", _("Filed in Sent by the server")
    FAILED = "failed", _("Not filed in Sent")


RECIPIENTS_REFUSED = "recipients_refused"  # the code of a sent message that not everybody got
UNDECIDED = models.Q(state__in=(OutgoingState.FAILED, OutgoingState.UNCERTAIN)) | models.Q(
    state=OutgoingState.SENT, code=RECIPIENTS_REFUSED
)  # its author decides: it wasn't sent, perhaps was, or didn't reach everybody
IN_THE_POST = (OutgoingState.QUEUED, OutgoingState.SENDING, OutgoingState.UNCERTAIN)
EDITABLE = (OutgoingState.DRAFT, OutgoingState.FAILED)
RECIPIENT_ROLES = (Role.TO, Role.CC, Role.BCC)


class Outgoing(models.Model):
    """A message of ``author``'s, None for the host itself. ``message_id`` is without angle brackets and stays the same
    however often the message is sent; ``references`` as Message has them. ``body_html`` is clean (mail.sanitize).
    ``sender`` is the Alias it is from, "" for the account's own address; ``forwards`` the message that it passes on.

    ``quoted`` is what we put into it of the message that it answers or passes on, which was in ``quoted_from``: it is
    taken out again when its author may not read that message any more (services/sending/quoted.py).

    ``raw`` is the message in wire form, made when it is queued, so that every attempt and the copy in Sent are the
    same. Once a copy is in Sent, neither it nor the bodies are kept here, unless it ``is_short`` of recipients.
    ``code`` and ``message`` are those of the error that stands in its way, or that a sent message didn't reach
    everybody for; the sentence may name recipients and is the author's alone.

    ``attempts`` counts how often it was begun to be handed over, ``failures`` what went wrong in a row before that. At
    ``next_at`` a tick takes care of it. One ``held_at`` some time waits for the account to sign in with something else
    than the credential ``held_with``, or with that one proven anew. ``notice_due`` while its author has yet to be told
    that it waits for them; ``incident`` grows each time that it begins to. A worker has it while ``worker`` is its
    token and ``worker_until`` lies ahead.
    """

    account = models.ForeignKey("mailaccounts.MailAccount", models.CASCADE, related_name="outgoing")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    state = models.CharField(max_length=9, choices=OutgoingState, default=OutgoingState.DRAFT)
    message_id = models.CharField(max_length=255)
    in_reply_to = models.ForeignKey(
        "mailaccounts.Message", models.SET_NULL, null=True, blank=True, related_name="answers"
    )
    forwards = models.ForeignKey(
        "mailaccounts.Message", models.SET_NULL, null=True, blank=True, related_name="passed_on"
    )
    quoted = models.TextField(blank=True)
    quoted_from = models.ForeignKey(
        "mailaccounts.MailAccount", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    references = models.TextField(blank=True)
    sender = models.CharField(max_length=254, blank=True)
    sender_name = models.CharField(max_length=255, blank=True)
    subject = models.TextField(blank=True)
    body_text = models.TextField(blank=True)
    body_html = models.TextField(blank=True)
    raw = models.BinaryField(null=True, blank=True)

    code = models.CharField(max_length=40, blank=True)
    message = models.TextField(blank=True)
    attempts = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(null=True, blank=True)
    held_at = models.DateTimeField(null=True, blank=True)
    held_with = models.UUIDField(null=True, blank=True, editable=False)
    notice_due = models.BooleanField(default=False, editable=False)
    incident = models.PositiveIntegerField(default=0, editable=False)
    worker = models.CharField(max_length=32, blank=True, editable=False)
    worker_until = models.DateTimeField(null=True, blank=True, editable=False)

    filing = models.CharField(max_length=9, choices=Filing, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(default=timezone.now)
    queued_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("outgoing message")
        verbose_name_plural = _("outgoing messages")
        constraints = [
            models.UniqueConstraint("account", "message_id", name="outgoing_once_per_account"),
            models.CheckConstraint(condition=models.Q(state__in=OutgoingState.values), name="outgoing_state_known"),
            models.CheckConstraint(condition=models.Q(filing__in=["", *Filing.values]), name="outgoing_filing_known"),
            models.CheckConstraint(
                condition=~models.Q(state__in=IN_THE_POST) | models.Q(raw__isnull=False, queued_at__isnull=False),
                name="outgoing_in_the_post_is_whole",
            ),
            models.CheckConstraint(
                condition=models.Q(state=OutgoingState.SENT, sent_at__isnull=False) & ~models.Q(filing="")
                | ~models.Q(state=OutgoingState.SENT) & models.Q(sent_at__isnull=True, filing=""),
                name="outgoing_sent_is_dated_and_filed",
            ),
            models.CheckConstraint(
                condition=~models.Q(filing=Filing.DUE) | models.Q(raw__isnull=False), name="outgoing_filed_is_whole"
            ),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=models.Q(next_at__isnull=False), name="outgoing_due"),
            models.Index(fields=["held_at"], condition=models.Q(held_at__isnull=False), name="outgoing_held"),
            models.Index(fields=["account", "-created_at"], name="outgoing_newest_first"),
        ]

    def __str__(self) -> str:
        """Not the subject: the admin and error reports print this."""
        return f"{self.state} {self.pk}"

    @property
    def is_short(self) -> bool:
        """Whether it didn't reach everybody, and those it didn't reach may still be sent it."""
        return self.state == OutgoingState.SENT and self.code == RECIPIENTS_REFUSED

    @property
    def is_in_mailbox(self) -> bool:
        """Whether what it says is kept there, and not here any more."""
        return self.filing in {Filing.DONE, Filing.BY_SERVER}


class Recipient(models.Model):
    """Whom a message is for, as its author wrote it; ``refused`` when the server didn't take it for them."""

    outgoing = models.ForeignKey(Outgoing, models.CASCADE, related_name="recipients")
    role = models.CharField(max_length=8, choices=[(role.value, role.label) for role in RECIPIENT_ROLES])
    position = models.PositiveSmallIntegerField()
    address = models.CharField(max_length=320)
    name = models.CharField(max_length=255, blank=True)
    refused = models.BooleanField(default=False)

    class Meta:
        ordering = ("position",)
        constraints = [
            models.UniqueConstraint("outgoing", "role", "position", name="recipient_once"),
            models.CheckConstraint(condition=models.Q(role__in=RECIPIENT_ROLES), name="recipient_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.pk}"


class Enclosed(models.Model):
    """A file that goes along with a draft. One that is ``awaited`` is yet to be fetched, after so many workers that
    were ``lost`` over it or are at it.

    Its bytes are in the database and not in MEDIA_ROOT: workers on other machines need them, nobody's web server hands
    them out, and they come and go in the same transactions, and backups, as the message they belong to.
    """

    outgoing = models.ForeignKey(Outgoing, models.CASCADE, related_name="enclosed")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=255)
    content_type = models.CharField(max_length=127, default="application/octet-stream")
    content = models.BinaryField()
    original = models.ForeignKey(
        "mailaccounts.Attachment", models.SET_NULL, null=True, blank=True, related_name="passed_on"
    )
    of_original = models.BooleanField(default=False)
    awaited = models.BooleanField(default=False)
    lost = models.PositiveSmallIntegerField(default=0)
    problem = models.TextField(blank=True)

    class Meta:
        ordering = ("position",)
        constraints = [models.UniqueConstraint("outgoing", "position", name="enclosed_once")]

    def __str__(self) -> str:
        return f"{self.content_type} {self.pk}"
