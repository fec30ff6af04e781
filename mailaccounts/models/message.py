"""Message and what hangs on it: where it lies, who takes part, the thread, the attachments."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Thread(models.Model):
    """A conversation within one account.

    What a list shows of it is kept beside it (services.storing.summaries), of those messages that weren't expunged:
    their number ``length``, how many of them are ``unread``, whether one is ``flagged`` or has attachments, and when
    the newest came, None when nothing is left.
    """

    account = models.ForeignKey("mailaccounts.MailAccount", models.CASCADE, related_name="threads", db_index=False)
    subject = models.TextField(blank=True)
    last_message_at = models.DateTimeField(null=True, blank=True)
    length = models.PositiveIntegerField(default=0)
    unread = models.PositiveIntegerField(default=0)
    flagged = models.BooleanField(default=False)
    has_attachments = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("thread")
        verbose_name_plural = _("threads")
        indexes = [
            models.Index(fields=["account", "-last_message_at", "-id"], name="thread_newest"),
            *(
                models.Index(fields=["account", "-last_message_at", "-id"], condition=condition, name=f"thread_{name}")
                for name, condition in (
                    ("unread", models.Q(unread__gt=0)),
                    ("flagged", models.Q(flagged=True)),
                    ("attachments", models.Q(has_attachments=True)),
                )
            ),
        ]

    def __str__(self) -> str:
        return self.subject


class ThreadFolder(models.Model):
    """That a conversation has messages in a folder; at Gmail, with the label that the folder stands for.
    ``last_message_at`` is the conversation's."""

    thread = models.ForeignKey(Thread, models.CASCADE, related_name="folders")
    folder = models.ForeignKey("mailaccounts.Folder", models.CASCADE, related_name="+", db_index=False)
    last_message_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["folder", "-last_message_at", "-thread"], name="threadfolder_newest")]

    def __str__(self) -> str:
        return f"{self.thread_id} {self.folder_id}"


class ThreadKey(models.Model):
    """A Message-ID that a stored message has or refers to (RFC 5322 §3.6.4), or its provider's name for the
    conversation as ``rules.threads.provider_key`` writes it; and the thread it belongs to."""

    account = models.ForeignKey("mailaccounts.MailAccount", models.CASCADE, related_name="+")
    thread = models.ForeignKey(Thread, models.CASCADE, related_name="keys")
    message_id = models.CharField(max_length=255)

    class Meta:
        constraints = [
            models.UniqueConstraint("account", "message_id", name="threadkey_once_per_account"),
        ]

    def __str__(self) -> str:
        return self.message_id


class Shown(models.TextChoices):
    """What a mailbox's owner decided about one message: whether others see more or less of it than of the rest."""

    AS_ACCOUNT = "", _("As the mailbox")
    HIDDEN = "hidden", _("Only to me")
    REVEALED = "revealed", _("Everything")


class Message(models.Model):
    """One message of one account, however many folders hold it.

    ``fingerprint`` is the SHA-256 of its identifying headers: the same message in another folder, or after a
    UIDVALIDITY change, has the same one. ``message_id`` is without angle brackets, "" when the message has none.
    ``references`` are the Message-IDs it refers to, oldest first and separated by spaces: an answer goes on with them.
    ``topic`` is what its subject is about, as ``rules.topics`` tells it. ``people`` are the names and addresses of who
    takes part, for the search.
    ``body_html`` is clean already (mail.sanitize), ``calendar`` an invitation as it was sent. ``announced`` turns true
    when ``message_stored`` has been sent.

    ``provider_id`` and ``provider_thread`` are the provider's own names for the message and its conversation, where it
    has such (RFC 8474, Gmail).

    ``gone_since`` is when its last place was expunged: until the sweep comes, a message that turns up elsewhere goes
    on as the one it was.
    """

    account = models.ForeignKey("mailaccounts.MailAccount", models.CASCADE, related_name="messages")
    thread = models.ForeignKey(Thread, models.CASCADE, related_name="messages", db_index=False)
    fingerprint = models.CharField(max_length=64)
    message_id = models.CharField(max_length=255, blank=True)
    subject = models.TextField(blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField()
    size = models.PositiveBigIntegerField(default=0)
    has_body = models.BooleanField(default=False)
    truncated = models.BooleanField(default=False)
    body_text = models.TextField(blank=True)
    body_html = models.TextField(blank=True)
    calendar = models.TextField(blank=True)
    announced = models.BooleanField(default=False)
    stored_at = models.DateTimeField(auto_now_add=True)
    gone_since = models.DateTimeField(null=True, blank=True)
    provider_id = models.CharField(max_length=255, blank=True)
    provider_thread = models.CharField(max_length=255, blank=True)
    references = models.TextField(blank=True)
    topic = models.CharField(max_length=104, blank=True)
    people = models.TextField(blank=True)
    shown = models.CharField(max_length=8, choices=Shown, default=Shown.AS_ACCOUNT, blank=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        constraints = [
            # In this order, so that it finds a message through all mailboxes as well.
            models.UniqueConstraint("fingerprint", "account", name="message_once_per_account"),
            models.CheckConstraint(condition=models.Q(shown__in=Shown.values), name="message_shown_known"),
        ]
        indexes = [
            models.Index(fields=["account", "message_id"], name="message_by_message_id"),
            models.Index(fields=["account", "-received_at"], name="message_newest_first"),
            models.Index(fields=["thread", "-received_at"], name="message_of_thread"),
            models.Index(fields=["account", "topic"], condition=~models.Q(topic=""), name="message_by_topic"),
            models.Index(fields=["account"], condition=models.Q(announced=False), name="message_unannounced"),
            models.Index(fields=["gone_since"], condition=models.Q(gone_since__isnull=False), name="message_gone"),
        ]

    def __str__(self) -> str:
        return self.subject


class MessageUid(models.Model):
    """Where a message lies: a UID is only meaningful with the folder's UIDVALIDITY (RFC 9051 §2.3.1.1).

    ``flags`` as ``rules.flags.text`` writes them, ``seen`` when \\Seen is one of them (RFC 9051 §2.3.2). ``labels`` as
    ``rules.labels.text`` writes them: at Gmail, where one folder has all mail, its owner sees them as folders.
    ``moving_to`` is the folder it is about to be moved to, where its owner sees it already: until a sync has seen that
    it isn't here any more. What its server told of where it lies then has a UID above the folder's ``last_uid``, until
    a sync has seen it there.
    """

    folder = models.ForeignKey("mailaccounts.Folder", models.CASCADE, related_name="uids")
    message = models.ForeignKey(Message, models.CASCADE, related_name="uids")
    uidvalidity = models.PositiveBigIntegerField()
    uid = models.PositiveBigIntegerField()
    flags = models.TextField(blank=True)
    seen = models.BooleanField(default=False)
    labels = models.TextField(blank=True)
    moving_to = models.ForeignKey("mailaccounts.Folder", models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint("folder", "uidvalidity", "uid", name="messageuid_once"),
        ]

    def __str__(self) -> str:
        return f"{self.uidvalidity}/{self.uid}"


class Role(models.TextChoices):
    FROM = "from", _("From")
    SENDER = "sender", _("Sender")
    REPLY_TO = "reply_to", _("Reply to")
    TO = "to", _("To")
    CC = "cc", _("Cc")
    BCC = "bcc", _("Bcc")


class Participant(models.Model):
    """An address with a role on a message; ``address`` is lower case."""

    message = models.ForeignKey(Message, models.CASCADE, related_name="participants")
    role = models.CharField(max_length=8, choices=Role)
    position = models.PositiveSmallIntegerField()
    address = models.CharField(max_length=320, db_index=True)  # for what it begins with as well, see Hooks.written
    name = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering = ("position",)
        constraints = [
            models.UniqueConstraint("message", "role", "position", name="participant_once"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="participant_role_known"),
        ]

    def __str__(self) -> str:
        return self.address


class Attachment(models.Model):
    """What is attached; only its description is stored, and where in the message it is: ``section`` and ``encoding``
    as FETCH needs them, "" where nobody knows. ``content_id`` is without angle brackets, ``inline`` tells that it is
    a picture that the text shows."""

    message = models.ForeignKey(Message, models.CASCADE, related_name="attachments")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=255, blank=True)
    content_type = models.CharField(max_length=127)
    size = models.PositiveBigIntegerField()
    section = models.CharField(max_length=160, blank=True)
    encoding = models.CharField(max_length=40, blank=True)
    content_id = models.CharField(max_length=255, blank=True)
    inline = models.BooleanField(default=False)

    class Meta:
        ordering = ("position",)
        constraints = [models.UniqueConstraint("message", "position", name="attachment_once")]

    def __str__(self) -> str:
        return self.name
