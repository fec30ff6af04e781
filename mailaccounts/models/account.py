"""MailAccount: one mailbox of one user, where it is and how it is doing."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailaccounts.mail.types import Endpoint, Security


class AccountStatus(models.TextChoices):
    """Judged from evidence only: the last thing that worked or didn't (product point 7)."""

    NEW = "new", _("Not synced yet")
    OK = "ok", _("Up to date")
    WAITING = "waiting", _("Waiting for the server")
    NEEDS_OWNER = "needs_owner", _("Needs your attention")
    NEEDS_ADMIN = "needs_admin", _("Needs an administrator")
    DISCONNECTED = "disconnected", _("Disconnected")


class Visibility(models.TextChoices):
    """What those with whom the host shares mailboxes may see of an account's mail. Its owner sees everything."""

    OWNER = "owner", _("Only me")
    SUBJECT = "subject", _("Subject and participants")
    EVERYTHING = "everything", _("Everything")


NEEDS_SOMEBODY = (AccountStatus.NEEDS_OWNER, AccountStatus.NEEDS_ADMIN)
HANDING_OVER = "handing_over"  # and of one that is about to be its heir's
ERASING = "erasing"  # status_code of a disconnected account whose mail is on its way out, and then itself


class MailAccount(models.Model):
    """A mailbox. ``smtp_host`` is empty for an account that only reads.

    ``takes_tokens`` when the IMAP server offered sign-in with OAuth at the last login, ``exchanged_by`` is the preset
    that the domain's mail goes to, "" when that isn't known.

    ``sender_name`` is what messages written here give beside the address, ``signature`` what they end with.

    ``revision`` grows with each change of what is stored of its mail: whoever shows that mail knows by it whether
    there is anything new. ``last_mail_at`` is when a sync last found something new. The Lookout whose token is
    ``watcher`` has a connection that tells what arrives, or is about to, so that polling may be rare. At
    ``compared_at`` server and store were compared: that many messages were missing, and stored twice.

    Where mail of the past ``looks_back`` for people who become known, all were looked for up to the DirectoryChange
    whose number is ``looked_for``.

    Until it has ``begun``, its owner has yet to say how far back mail is wanted, and no sync reads it.

    A worker owns the account while ``lease_owner`` is its token and ``lease_until`` lies ahead. ``notice_due`` while
    its owner has yet to be told what is wanted of them; ``incident`` grows each time that something begins to be, and
    what was told before is settled with it. Since ``paused_at`` an administrator has it paused:
    nothing is read from the mailbox until they resume it.

    While it is being handed over, ``heir`` is to whom. Since ``handed_over_at`` its ``owner`` is somebody who sees of
    its mail what those did with whom it was shared, and nothing can be done with it; ``handed_over_from`` is the name
    of whose it was.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="mail_accounts")
    address = models.EmailField(max_length=254)

    imap_host = models.CharField(max_length=253)
    imap_port = models.PositiveIntegerField(default=993)
    imap_security = models.CharField(max_length=8, default=Security.TLS)
    smtp_host = models.CharField(max_length=253, blank=True)
    smtp_port = models.PositiveIntegerField(default=465)
    smtp_security = models.CharField(max_length=8, default=Security.TLS)

    takes_tokens = models.BooleanField(default=False, editable=False)
    exchanged_by = models.CharField(max_length=40, blank=True, editable=False)

    sender_name = models.CharField(max_length=255, blank=True)
    signature = models.TextField(max_length=2000, blank=True)

    visibility = models.CharField(max_length=10, choices=Visibility, default=Visibility.OWNER)
    since = models.DateField(null=True, blank=True, help_text=_("Mail older than this is left alone."))
    begun = models.BooleanField(default=True, editable=False)
    keep_days = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text=_("Mail older than this is erased.")
    )
    looks_back = models.BooleanField(default=True)
    looked_for = models.PositiveBigIntegerField(default=0, editable=False)

    status = models.CharField(max_length=12, choices=AccountStatus, default=AccountStatus.NEW)
    status_code = models.CharField(max_length=40, blank=True)
    status_message = models.TextField(blank=True)
    stage = models.CharField(max_length=100, blank=True)
    failures = models.PositiveIntegerField(default=0)
    next_sync_at = models.DateTimeField(null=True, blank=True)
    last_sync_at = models.DateTimeField(null=True, blank=True)
    last_mail_at = models.DateTimeField(null=True, blank=True, editable=False)
    revision = models.PositiveBigIntegerField(default=0, editable=False)
    watcher = models.CharField(max_length=32, blank=True, editable=False)

    compared_at = models.DateTimeField(_("compared"), null=True, blank=True, editable=False)
    compared_missing = models.PositiveIntegerField(_("messages missing then"), default=0, editable=False)
    compared_doubled = models.PositiveIntegerField(_("messages stored twice then"), default=0, editable=False)
    clean_syncs = models.PositiveIntegerField(default=0)
    paused_at = models.DateTimeField(_("paused"), null=True, blank=True, editable=False)
    notice_due = models.BooleanField(default=False, editable=False)
    incident = models.PositiveIntegerField(default=0, editable=False)

    heir = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    handed_over_from = models.CharField(max_length=254, blank=True, editable=False)
    handed_over_at = models.DateTimeField(_("handed over"), null=True, blank=True, editable=False)

    lease_owner = models.CharField(max_length=32, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)

    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("mail account")
        verbose_name_plural = _("mail accounts")
        permissions = [
            ("operate_mailaccount", "Can sync, pause and test mail accounts, and ask their owners"),
            ("off_board_mailaccount", "Can hand over or erase the mail of users who left"),
        ]
        constraints = [
            models.UniqueConstraint(
                "owner",
                Lower("address"),
                condition=models.Q(handed_over_at=None),
                name="mailaccount_once_per_owner",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=AccountStatus.values), name="mailaccount_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(visibility__in=Visibility.values), name="mailaccount_visibility_known"
            ),
            models.CheckConstraint(
                condition=models.Q(imap_security__in=list(Security)) & models.Q(smtp_security__in=list(Security)),
                name="mailaccount_always_encrypted",
            ),
            models.CheckConstraint(
                condition=models.Q(imap_port__range=(1, 65535)) & models.Q(smtp_port__range=(1, 65535)),
                name="mailaccount_ports_in_range",
            ),
        ]
        indexes = [
            models.Index(fields=["next_sync_at"], name="mailaccount_due"),
            models.Index(fields=["watcher"], name="mailaccount_watcher"),
        ]

    def __str__(self) -> str:
        return self.address

    @property
    def is_erasing(self) -> bool:
        return (self.status, self.status_code) == (AccountStatus.DISCONNECTED, ERASING)

    @property
    def is_being_handed_over(self) -> bool:
        return (self.status, self.status_code) == (AccountStatus.DISCONNECTED, HANDING_OVER)

    @property
    def horizon(self) -> datetime | None:
        """What arrived before it is neither brought in nor kept; None when everything is."""
        return timezone.now() - timedelta(days=self.keep_days) if self.keep_days else None

    @property
    def reaches_to(self) -> date | None:
        """The day since which mail is looked at, None for all. Servers tell the day of arrival in a time zone of their
        own, hence a day more than is kept."""
        kept = self.horizon
        days = (self.since, (kept - timedelta(days=1)).date() if kept else None)
        return max((day for day in days if day is not None), default=None)

    def wants(self, received_at: datetime) -> bool:
        """Whether mail that arrived then isn't too old to be kept."""
        return self.horizon is None or received_at >= self.horizon

    @property
    def imap(self) -> Endpoint:
        return Endpoint(
            protocol="imap", host=self.imap_host, port=self.imap_port, security=Security(self.imap_security)
        )

    @property
    def smtp(self) -> Endpoint | None:
        if not self.smtp_host:
            return None
        return Endpoint(
            protocol="smtp", host=self.smtp_host, port=self.smtp_port, security=Security(self.smtp_security)
        )
