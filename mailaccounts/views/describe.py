"""Accounts as pages tell of them: values made for templates, without a secret and without the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from mailaccounts.backends.registry import backends
from mailaccounts.models import Credential, CredentialState, MailAccount, Message
from mailaccounts.selectors import quarantined_of
from mailaccounts.services.connecting.detect import How
from mailaccounts.views import folder_rows

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mailaccounts.errors import MailAccountsError
    from mailaccounts.services.connecting.detect import Detection
    from mailaccounts.views.folder_rows import FolderRow

FOUND_BY = {
    How.PRESET: "Found by your address",
    How.MX: "Found by your domain's MX records",
    How.SRV: "Found by your domain's SRV records",
    How.AUTOCONFIG: "Found by your domain's autoconfig",
    How.TOLD: "As you say",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What went wrong, in two sentences. Plain values, so that a session can carry it to the next page."""

    code: str
    sentence: str
    next_step: str

    @classmethod
    def of(cls, error: MailAccountsError) -> Problem:
        return cls(
            code=error.code,
            sentence=error.sentence.format_map(error.facts),
            next_step=error.next_step.format_map(error.facts),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Servers that were found for an address: how, and what to beware of ("" for nothing)."""

    how: str
    caution: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One way an account signs in, or did. ``signed_in_as`` is who gave consent, "" for a password; ``shared`` when
    that is somebody else than the mailbox."""

    backend: str
    label: str
    username: str
    shared: bool
    consented: bool
    signed_in_as: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """How an account signs in now (None when it can't) and did before, newest first."""

    current: Method | None
    earlier: list[Method]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How far the sync is. ``busy`` while a worker has the account or one is due; ``progress`` says so in words.
    ``set_aside`` counts the messages that made trouble; ``history_done`` of ``history_total`` were examined of the
    mail that was there when the account was connected, in the folders where some is left: 0 of 0 when all is done."""

    folders: list[FolderRow]
    examined: int
    stored: int
    set_aside: int
    history_done: int
    history_total: int
    running: bool
    busy: bool
    progress: str


def sign_in(account: MailAccount) -> SignIn:
    """How ``account`` signs in, from its credentials."""
    credentials = account.credentials.select_related("grant__client").defer("secret").order_by("-created_at")
    methods: dict[str, list[Method]] = {state: [] for state in CredentialState.values}
    for credential in credentials:
        methods[credential.state].append(_method(credential))
    active = methods[CredentialState.ACTIVE]
    return SignIn(current=active[0] if active else None, earlier=methods[CredentialState.RETIRED])


def found(detection: Detection, *, address: str) -> Found:
    """What a person reads above the servers before a credential goes there."""
    preset, domain = detection.preset, address.rpartition("@")[2]
    who = preset.label if preset else detection.imap.host if detection.imap else ""
    outside = f"They aren't under {domain}: go on only if you know whose they are."
    return Found(how=f"{FOUND_BY[detection.how]}: {who}.", caution="" if detection.stays_inside(address) else outside)


def state(account: MailAccount) -> State:
    """How ``account`` is doing, from its folders and its lease."""
    now = timezone.now()
    running = account.lease_until is not None and account.lease_until > now
    due = account.next_sync_at is not None and account.next_sync_at <= now and account.paused_at is None
    folders = folder_rows.of(account)
    behind = account.folders.filter(history_below__gt=0, missing_since=None)
    history = behind.aggregate(done=Coalesce(Sum("history_done"), 0), total=Coalesce(Sum("history_total"), 0))
    return State(
        folders=folders,
        examined=sum(folder.examined for folder in folders),
        stored=stored_messages(account),
        history_done=history["done"],
        history_total=history["total"],
        set_aside=quarantined_of(account).count(),
        running=running,
        busy=running or due,
        progress=(account.stage or "Reading your mailbox…") if running else "Waiting for a worker…",
    )


def stored_messages(account: MailAccount) -> int:
    return Message.objects.filter(account=account).count()


def names(labels: Iterable[str]) -> str:
    """The labels as a sentence lists them."""
    return " or ".join(labels)


def _method(credential: Credential) -> Method:
    grant = credential.grant
    return Method(
        backend=credential.backend,
        label=label(credential),
        username=credential.username,
        shared=bool(credential.smtp_username),
        consented=grant is not None,
        signed_in_as=grant.signed_in_as if grant else "",
        since=credential.proven_at or credential.created_at,
        until=credential.retired_at,
    )


def label(credential: Credential) -> str:
    if credential.grant:
        return f"{credential.grant.client.name} (OAuth)"
    return backend_label(credential.backend)


def backend_label(slug: str) -> str:
    """What people call a kind of sign-in; "" for none."""
    backend = backends().get(slug)
    return backend.label if backend else slug
