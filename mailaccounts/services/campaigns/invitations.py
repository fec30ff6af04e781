"""Invitations: a personal link by mail that leads an account's owner into the switch, and the reminders of it.

The link names a step and a nonce, signed; the step keeps the nonce's hash. It is no key: whoever opens it has to be
signed in as somebody who may manage the account, and looking at it uses nothing up. The switch itself does.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.core import signing
from django.db.models import F
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.formats import date_format

from mailaccounts import selectors
from mailaccounts.conf import settings
from mailaccounts.errors import (
    InvitationDamaged,
    InvitationExpired,
    InvitationForSomebodyElse,
    InvitationReplaced,
    InvitationUnsent,
    InvitationUsed,
    InvitationWithdrawn,
)
from mailaccounts.hooks import hooks
from mailaccounts.models import MigrationStep
from mailaccounts.rules.migration_states import MigrationState
from mailaccounts.services.moving import steps
from mailaccounts.services.registering import clients

if TYPE_CHECKING:
    from datetime import datetime

    from mailaccounts.models import MailAccount

SALT = "mailaccounts.invitation"
REMINDERS = 2
BUDGET_SECONDS = 60  # of one tick
PAUSE = timedelta(minutes=10)  # before a reminder that couldn't be sent is tried again

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a mail says; ``why`` is the announced end of the sign-in in use, "" for none."""

    subject: str
    text: str


def invite(step: MigrationStep) -> bool:
    """Invites the owner of a step that is CHOSEN; False when somebody was faster.

    InvitationUnsent when the mail doesn't go out: then the step is CHOSEN again.
    """
    now = timezone.now()
    moved = steps.advance(
        step,
        MigrationState.INVITED,
        **steps.NO_TROUBLE,
        invitation=_hashed(_nonce(step, now)),
        invited_at=now,
        invited_until=now + timedelta(days=settings.invitation_days),
        reminders=0,
        next_at=_reminder_after(0, now),
    )
    if not moved or step.account is None:
        return False
    if _sent(step, step.account):
        return True
    steps.advance(step, MigrationState.CHOSEN, invitation="", invited_at=None, invited_until=None)
    raise InvitationUnsent(address=step.address)


def remind_due() -> int:
    """Reminds the owners whose invitation has waited for days, for a minute; returns how many were reminded."""
    started, told = time.monotonic(), 0
    now = timezone.now()
    due = MigrationStep.objects.filter(
        state=MigrationState.INVITED,
        next_at__lte=now,
        invited_until__gt=now,
        reminders__lt=REMINDERS,
        run__paused_at=None,
        account__isnull=False,
    )
    for step in due.select_related("account__owner", "run__client").order_by("next_at"):
        told += _remind(step)
        if time.monotonic() - started > BUDGET_SECONDS:
            break
    return told


def open_link(token: str, *, user: Any) -> MigrationStep:
    """The step that ``token`` invites ``user`` to go on with. Changes nothing.

    InvitationDamaged; InvitationForSomebodyElse, whatever there is behind it; for its owner InvitationUsed,
    InvitationWithdrawn, InvitationReplaced, InvitationExpired.
    """
    try:
        step_id, nonce = _signer().unsign_object(token)
    except (signing.BadSignature, ValueError, TypeError):
        raise InvitationDamaged from None
    mine = selectors.accounts_for(user)
    step = MigrationStep.objects.select_related("account").filter(pk=step_id, account__in=mine).first()
    if step is None or step.account is None or not hooks().can_manage(user, step.account):
        raise InvitationForSomebodyElse
    facts: dict[str, str | int] = {"address": step.address, "account": step.account.pk}
    if step.state == MigrationState.SWITCHED:
        raise InvitationUsed(**facts)
    if step.state in (MigrationState.CANCELLED, MigrationState.ROLLED_BACK):
        raise InvitationWithdrawn(**facts)
    if not hmac.compare_digest(_hashed(nonce), step.invitation):
        raise InvitationReplaced(**facts)
    if step.invited_until is None or step.invited_until <= timezone.now():
        raise InvitationExpired(**facts, day=date_format(step.invited_until or timezone.now(), "j F Y"))
    return step


def token_of(step: MigrationStep) -> str:
    """What the link of an invited step ends in."""
    return _signer().sign_object([str(step.pk), _nonce(step, step.invited_at or step.created_at)])


def _remind(step: MigrationStep) -> bool:
    """One worker takes the reminder by counting it; what can't be sent is tried again later."""
    if step.account is None or step.invited_at is None:
        return False
    number, invitation = step.reminders + 1, _hashed(_nonce(step, step.invited_at))
    taken = MigrationStep.objects.filter(pk=step.pk, state=MigrationState.INVITED, reminders=step.reminders)
    next_at = _reminder_after(number, step.invited_at)
    # The hash is written again, for a new SECRET_KEY makes another nonce.
    if not taken.update(reminders=number, invitation=invitation, next_at=next_at, **steps.NO_TROUBLE):
        return False
    if _sent(step, step.account, reminder=True):
        return True
    unsent = MigrationStep.objects.filter(pk=step.pk, state=MigrationState.INVITED, reminders=number)
    trouble = steps.trouble(InvitationUnsent(address=step.address))
    unsent.update(reminders=F("reminders") - 1, next_at=timezone.now() + PAUSE, **trouble)
    return False


def _reminder_after(sent: int, invited_at: datetime) -> datetime | None:
    """When the next reminder is due, once ``sent`` have gone out; None after the last."""
    return None if sent >= REMINDERS else invited_at + timedelta(days=settings.reminder_days) * (sent + 1)


def _sent(step: MigrationStep, account: MailAccount, *, reminder: bool = False) -> bool:
    words = _words(step, account, _link(step), reminder=reminder)
    try:
        hooks().notify_owner(account, subject=words.subject, text=words.text)
    except Exception as error:  # noqa: BLE001 - every way of telling somebody has errors of its own
        logger.error("the owner of account %d couldn't be invited: %s", account.pk, type(error).__name__)
        return False
    return True


def _words(step: MigrationStep, account: MailAccount, link: str, *, reminder: bool) -> Words:
    provider = clients.label(step.run.client.provider)
    until = date_format(step.invited_until or timezone.now(), "j F Y")
    deadline = step.run.deadline
    why = ""
    if deadline is not None:
        verb = "ends" if deadline >= timezone.localdate() else "ended"
        why = f"Its provider {verb} the way it signs in now on {date_format(deadline, 'j F Y')}.\n\n"
    return Words(
        subject=f"{'Reminder: ' if reminder else ''}{account.address} moves to another sign-in",
        text=(
            f"{account.address} is connected to the CRM, and shall sign in at {provider} instead of with a password "
            f"that we keep.\n\n{why}"
            f"It takes a minute, and you sign in at {provider} as you always do. We never see your password:\n\n"
            f"{link}\n\n"
            "Nothing changes until we have proven that the new sign-in works. No message is lost or downloaded "
            "again.\n\n"
            f"{_terms(until)}\n"
        ),
    )


def _link(step: MigrationStep) -> str:
    """Where the mail leads; in words while the settings don't say where the CRM is."""
    if not settings.site_url:
        return "In the CRM: Settings → Email accounts → your account → Switch to OAuth"
    return settings.site_url.rstrip("/") + reverse("mailaccounts:invitation", args=[token_of(step)])


def _terms(until: str) -> str:
    """What is to be known of the link, or until when to go without one."""
    if not settings.site_url:
        return f"You are asked to do so until {until}."
    return (
        f"The link is yours alone and good until {until}. You have to be signed in to the CRM; passed on to somebody "
        "else it opens nothing."
    )


def _nonce(step: MigrationStep, invited_at: datetime) -> str:
    """Differs from one invitation to the next, and is the same in each reminder of one."""
    return salted_hmac(SALT, f"{step.pk} {invited_at.isoformat()}", algorithm="sha256").hexdigest()[:32]


def _hashed(nonce: str) -> str:
    return hashlib.sha256(str(nonce).encode()).hexdigest()


def _signer() -> signing.Signer:
    return signing.Signer(salt=SALT)
