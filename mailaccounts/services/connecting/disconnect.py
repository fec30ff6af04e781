"""Disconnecting a mailbox: no sync, no secret, and a receipt; its mail is kept or erased.

All that must not be half-done is one transaction without any network: the account is disconnected, the secrets are
gone, and the receipt says so. What takes time comes after it, the provider's part (``give_back``) and the erasing
(``erase``); a tick completes both when whoever began is lost.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from mailaccounts.conf import settings
from mailaccounts.errors import AccountChanged
from mailaccounts.models import (
    ERASING,
    AccountStatus,
    AuditAction,
    ConsentAttempt,
    Grant,
    MailAccount,
    Message,
    Preview,
)
from mailaccounts.presets import find, for_host
from mailaccounts.queue import Job, enqueue
from mailaccounts.selectors import receipts
from mailaccounts.services.connecting.erase import erase
from mailaccounts.services.signing_in.credentials import destroy
from mailaccounts.services.signing_in.give_back import Outcome
from mailaccounts.services.telling import events
from mailaccounts.services.trail import audit

if TYPE_CHECKING:
    from mailaccounts.models import AuditEntry

AT_ONCE_SECONDS = 3.0  # that erasing may take while somebody waits for the page; a worker does the rest
SECRETS_OF_A_GRANT = {Outcome.ENDED: 2, Outcome.ORGANISATION: 2, Outcome.PENDING: 1}  # the state goes when it's told


class Reason(StrEnum):
    """Why an account was disconnected."""

    ASKED = "asked"  # somebody did it
    DEACTIVATED = "deactivated"  # its owner may not sign in any more
    DELETED = "deleted"  # its owner is being deleted


def disconnect(account: MailAccount, *, erase_mail: bool, actor: Any) -> AuditEntry:
    """Disconnects an account, tells its provider, and erases what can be erased at once; the receipt.

    One that is disconnected already gives the receipt there is, unless its mail is now to be erased. AccountChanged
    when it is gone.
    """
    receipt = cut(account.pk, erase_mail=erase_mail, actor=actor, reason=Reason.ASKED)
    if receipt is None:
        receipt = receipts().filter(account=account.pk).first()
    if receipt is None:
        raise AccountChanged(address=account.address)
    if erase_mail:
        erase(account.pk, seconds=AT_ONCE_SECONDS)
    return receipt


def cut(
    account_id: int, *, actor: Any = None, reason: Reason, erase_mail: bool = False, only: Q | None = None
) -> AuditEntry | None:
    """Disconnects an account in one transaction, and its receipt; None when there is nothing to do, or the account
    isn't one of ``only`` any more.

    A sync that has it loses its lease: whatever it is about to write, it doesn't.
    """
    with transaction.atomic():
        account = MailAccount.objects.select_for_update(of=("self",)).filter(only or Q(), pk=account_id).first()
        if account is None or account.is_erasing:
            return None
        if account.status == AccountStatus.DISCONNECTED and not erase_mail:
            return None
        before = (account.status, account.status_code)
        facts = _destroy_secrets(account, by_worker=reason is not Reason.ASKED)
        if erase_mail:  # what was noted while it moved names its folders
            account.migrations.update(snapshot=None, certificate=None)
        account.status, account.status_code = AccountStatus.DISCONNECTED, ERASING if erase_mail else ""
        account.status_message, account.stage, account.notice_due = "", "", False
        account.failures = account.clean_syncs = 0
        account.next_sync_at = timezone.now() if erase_mail else None  # due is what is to be erased
        account.lease_owner, account.lease_until = "", None
        account.save()
        Preview.objects.filter(account=account).delete()
        if erase_mail and reason is Reason.DEACTIVATED:  # else whoever asked for it begins with it
            enqueue(Job.ERASE, account.pk)
        if before != (account.status, account.status_code):
            events.status_changed(account.pk, status=str(account.status), code=account.status_code)
        return audit.note(
            AuditAction.DISCONNECTED,
            account,
            actor=actor,
            reason=reason,
            mail="erased" if erase_mail else "kept",
            messages=Message.objects.filter(account=account).count(),
            by=actor.get_username() if actor else "",
            owner=account.owner.get_username(),
            **facts,
        )


def _destroy_secrets(account: MailAccount, *, by_worker: bool) -> dict[str, Any]:
    """Destroys all that opens the mailbox; what the receipt says of it. ``destroyed`` counts sealed values."""
    attempts, _ = ConsentAttempt.objects.filter(account=account).delete()
    credentials = list(account.credentials.defer("secret"))
    grants = Grant.objects.select_related("client").filter(credentials__account=account).distinct()
    labels = {grant.pk: grant for grant in grants}
    typed = [credential.backend for credential in credentials if credential.grant_id is None]
    outcomes = destroy(credentials, by_worker=by_worker)
    extra = settings.extra_presets
    preset = find(account.address, extra=extra) or for_host(account.imap_host, extra=extra)
    return {
        "destroyed": attempts + len(typed) + sum(SECRETS_OF_A_GRANT.get(each, 0) for each in outcomes.values()),
        "grants": {
            str(grant_id): _told(labels[grant_id], outcome, by_hand=preset.consents_url if preset else "")
            for grant_id, outcome in outcomes.items()
        },
        "typed": typed,
        "app_password_url": preset.app_password_url if preset and "app_password" in typed else "",
    }


def _told(grant: Grant, outcome: Outcome, *, by_hand: str) -> dict[str, str]:
    return {
        "provider": grant.client.name,
        "signed_in_as": grant.signed_in_as,
        "outcome": outcome,
        "by_hand": by_hand,
    }
