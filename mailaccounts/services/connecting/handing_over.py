"""Hands the mail of somebody who left over to a colleague: what colleagues could see of it, as far as they could.

Everything else is erased first, batch by batch, and the heir becomes the account's owner in the last transaction. They
see of it what those do with whom it is shared; nothing is done with it any more. Whoever comes next goes on where a
lost worker stopped. It ends without an heir when the owner is active again, or the heir isn't.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from mailaccounts.conf import settings
from mailaccounts.errors import LeaseLost
from mailaccounts.hooks import hooks
from mailaccounts.models import (
    HANDING_OVER,
    AccountStatus,
    Attachment,
    AuditAction,
    AuditEntry,
    BreakGlass,
    MailAccount,
    MailAction,
    Message,
    MessageUid,
    Outgoing,
    Participant,
    Quarantined,
    Role,
)
from mailaccounts.queue import Job, enqueue
from mailaccounts.selectors import deactivated, is_deactivated, is_open, receipts
from mailaccounts.services.connecting import heritage
from mailaccounts.services.connecting.disconnect import Reason, cut
from mailaccounts.services.limits import lease
from mailaccounts.services.storing import removal, search, summaries
from mailaccounts.services.trail import audit, break_glass

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from mailaccounts.services.limits.lease import Lease

BODIES = 500  # in one transaction


def obstacle(account: MailAccount, heir: Any) -> str | None:
    """Why the account's mail can't go to ``heir``, in words; None when it can."""
    if account.is_erasing or account.is_being_handed_over:
        return "Its mail is being erased or handed over already."
    if not is_deactivated(account.owner):
        return "Its owner isn't deactivated."
    if heir.pk == account.owner_id or is_deactivated(heir):
        return "This user can't sign in."
    if not MailAccount.objects.filter(hooks().shares_with(heir), pk=account.pk).exists():
        return "Its mail isn't shared with this user."
    return None


def begin(account_id: int, *, heir: Any, actor: Any = None) -> bool:
    """Has a disconnected account's mail handed over in the background, where there is no ``obstacle``; erased, where
    nobody but its owner could see any of it. False when it isn't kept any more, or its owner is back."""
    with transaction.atomic():
        kept = MailAccount.objects.filter(
            deactivated("owner__"), status=AccountStatus.DISCONNECTED, status_code="", pk=account_id
        )
        account = kept.select_for_update(of=("self",)).first()
        if account is None:
            return False
        if not Message.objects.filter(account=account).exclude(heritage.is_private(account)).exists():
            return cut(account_id, actor=actor, reason=Reason.DEACTIVATED, erase_mail=True) is not None
        receipt = receipts().filter(account=account_id).first()
        account.status_code, account.heir, account.next_sync_at = HANDING_OVER, heir, timezone.now()
        account.save(update_fields=["status_code", "heir", "next_sync_at"])
        audit.note(
            AuditAction.HANDED_OVER,
            account,
            actor=actor,
            by=actor.get_username() if actor else "",
            to=heir.get_username(),
            receipt=str(receipt.pk) if receipt else None,
            messages=Message.objects.filter(account=account).count(),
        )
        enqueue(Job.HAND_OVER, account_id)
        return True


def hand_over(account_id: int, *, seconds: float | None = None) -> bool:
    """Goes on for as long as ``seconds`` allow (a sync's time, unless told); whether nothing is left to do.

    Does nothing unless the account is to be handed over and no other worker is at it.
    """
    deadline = time.monotonic() + (settings.sync_budget if seconds is None else seconds)
    account = MailAccount.objects.filter(lease.BEING_HANDED_OVER, pk=account_id).first()
    held = lease.claim(account, state=lease.BEING_HANDED_OVER) if account else None
    if held is None:
        return not MailAccount.objects.filter(lease.BEING_HANDED_OVER, pk=account_id).exists()
    try:
        while _step(held):
            if time.monotonic() > deadline:
                lease.release(held, next_sync_at=timezone.now())
                return False
    except LeaseLost:
        return False
    return True


def _step(held: Lease) -> bool:
    """The next batch of what is to be erased, or the end; whether there is more to do."""
    with transaction.atomic():
        lease.renew(held, stage="Erasing what is private…")
        account = MailAccount.objects.select_related("owner", "heir").get(pk=held.account_id)
        if not account.is_being_handed_over or not _stands(account):
            _give_up(account, held)
            return False
        if (
            removal.remove(heritage.private(account))
            or _strip(heritage.subject_only(account), account)
            or _hide_unseen(account)
        ):
            return True
        _conclude(account)
        return False


def _stands(account: MailAccount) -> bool:
    return account.heir is not None and not is_deactivated(account.heir) and is_deactivated(account.owner)


def _give_up(account: MailAccount, held: Lease) -> None:
    """What is left stays its owner's, kept."""
    columns: dict[str, Any] = {"status_code": "", "next_sync_at": None} if account.is_being_handed_over else {}
    lease.release(held, heir=None, **columns)
    _tell(account, handing_over="stopped")


def _conclude(account: MailAccount) -> None:
    """Lets the heir have what is left; what only its owner had use for goes: what they wrote here, what they did and
    set, folders that hold nothing any more."""
    for model in (Outgoing, MailAction):
        model._default_manager.filter(account=account).delete()
    Quarantined.objects.filter(folder__account=account).delete()
    account.aliases.all().delete()
    account.migrations.update(snapshot=None, certificate=None)
    account.folders.exclude(Exists(MessageUid.objects.filter(folder=OuterRef("pk")))).delete()
    subject = Message.objects.filter(heritage.is_subject_only(account), account=account).count()
    left = Message.objects.filter(account=account).count()
    openings = BreakGlass.objects.filter(is_open(), account=account).select_related("account")
    break_glass.end(openings, actor=None)  # whoever goes on looking has to tell the heir why
    begun = _begun(account)
    told = {"handed_over": left - subject, "subject_only": subject, "erased": begun.facts["messages"] - left}
    _tell(account, to=begun.facts["to"], by=begun.facts["by"], **told)
    MailAccount.objects.filter(pk=account.pk).update(
        owner=account.heir,
        heir=None,
        handed_over_from=account.owner.get_username(),
        handed_over_at=timezone.now(),
        status_code="",
        sender_name="",
        signature="",
        stage="",
        next_sync_at=None,
        lease_owner="",
        lease_until=None,
    )


def _begun(account: MailAccount) -> AuditEntry:
    begun: AuditEntry = AuditEntry.objects.filter(account=account.pk, action=AuditAction.HANDED_OVER).latest("at")
    return begun


def _tell(account: MailAccount, **facts: Any) -> None:
    """Notes with the receipt what came of it."""
    receipt = receipts().filter(account=account.pk).first()
    if receipt:
        audit.follow_up(receipt, **facts)


def _strip(which: QuerySet[Message], account: MailAccount) -> int:
    """Takes from the first of these messages what they say and what is attached; how many that were."""
    keys = list(which.values_list("pk", flat=True)[:BODIES])
    Attachment.objects.filter(message__in=keys).delete()
    nothing = {"has_body": False, "truncated": False, "body_text": "", "body_html": "", "calendar": ""}
    Message.objects.filter(pk__in=keys).update(**nothing)
    if keys:
        summaries.refresh_of(account.pk, keys)
    return len(keys)


def _hide_unseen(account: MailAccount) -> int:
    """Takes from some messages whom they went to unseen, in what is searched as well; from how many."""
    unseen = Participant.objects.filter(message__account=account, role=Role.BCC)
    keys = list(unseen.order_by("message").values_list("message_id", flat=True).distinct()[:BODIES])
    unseen.filter(message__in=keys).delete()
    messages = Message.objects.filter(pk__in=keys).only("people").prefetch_related("participants")
    for message in messages:
        message.people = search.people((each.name, each.address) for each in message.participants.all())
    Message.objects.bulk_update(messages, ("people",), batch_size=BODIES)
    return len(keys)
