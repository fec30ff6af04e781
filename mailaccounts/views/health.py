"""How an account is doing, at a glance: last message, next sync, how it signs in and until when that works."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import OuterRef, Subquery
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timesince import timeuntil

from mailaccounts.models import AccountStatus, Credential, CredentialState, MailAccount, Message
from mailaccounts.services.connecting.detect import provider_of
from mailaccounts.views import describe

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from django.db.models import QuerySet

    from mailaccounts.presets import CredentialEnd

SOON_DAYS = 90
MINUTE = timedelta(minutes=1)
ALL = {"imap", "smtp"}
PAUSED = {AccountStatus.NEEDS_OWNER, AccountStatus.DISCONNECTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """``sign_in`` is "" for an account that can't sign in; ``next_sync`` and ``ends`` are words, "" for none."""

    account: MailAccount
    sign_in: str
    last_message: datetime | None
    next_sync: str
    ends: str


def overview(accounts: QuerySet[MailAccount]) -> list[Health]:
    """The accounts, each with how it is doing. Two queries, however many there are."""
    newest = Message.objects.filter(account=OuterRef("pk")).order_by("-received_at").values("received_at")[:1]
    return _health(accounts.annotate(last_message=Subquery(newest)))


def of(account: MailAccount) -> Health:
    """How one account is doing."""
    return overview(MailAccount.objects.filter(pk=account.pk))[0]


def _health(accounts: Iterable[MailAccount]) -> list[Health]:
    found = list(accounts)
    active = Credential.objects.filter(account__in=found, state=CredentialState.ACTIVE).defer("secret")
    credentials = {each.account_id: each for each in active.select_related("grant__client")}
    return [_one(account, credentials.get(account.pk)) for account in found]


def _one(account: MailAccount, credential: Credential | None) -> Health:
    return Health(
        account=account,
        sign_in=describe.label(credential) if credential else "",
        last_message=getattr(account, "last_message", None),
        next_sync=_next_sync(account) if credential else "",
        ends=_ends(account, credential.backend) if credential else "",
    )


def _next_sync(account: MailAccount) -> str:
    now = timezone.now()
    if account.lease_until is not None and account.lease_until > now:
        return "running now"
    if not account.begun and account.status != AccountStatus.DISCONNECTED:
        return "once you have said how far back"
    if account.paused_at is not None:
        return "once an administrator resumes it"
    if account.next_sync_at is None:
        return "once it is reconnected" if account.status in PAUSED else ""
    if account.next_sync_at <= now:
        return "as soon as a worker is free"
    if account.next_sync_at - now < MINUTE:
        return "in less than a minute"
    return f"in {timeuntil(account.next_sync_at, now, depth=1)}"


def _ends(account: MailAccount, backend: str) -> str:
    """What the provider has announced for this kind of credential, if it is over or soon will be."""
    preset = provider_of(account)
    end = preset.end_of(backend) if preset else None
    if preset is None or end is None or (end.on - timezone.localdate()).days > SOON_DAYS:
        return ""
    return announcement(preset.label, backend, end)


def announcement(provider: str, backend: str, end: CredentialEnd) -> str:
    """What a provider has announced, in a sentence."""
    kind = "app passwords" if backend == "app_password" else "passwords"
    purpose = "" if set(end.protocols) == ALL else " for reading" if "imap" in end.protocols else " for sending"
    over = end.on < timezone.localdate()
    return f"{provider} {'ended' if over else 'ends'} {kind}{purpose} on {date_format(end.on, 'j F Y')}."
