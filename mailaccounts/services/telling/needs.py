"""What an account's owner has to do or to know, if anything: in one sentence, and the page of exactly that step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count, Exists, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from mailaccounts import selectors
from mailaccounts.hooks import hooks
from mailaccounts.models import ERASING, NEEDS_SOMEBODY, UNDECIDED, AccountStatus, Outgoing, OutgoingState
from mailaccounts.services.limits.lease import CONNECTED, WAITING
from mailaccounts.services.trail.break_glass import called

if TYPE_CHECKING:
    from typing import Any

    from mailaccounts.models import BreakGlass, MailAccount

SHOWN = 5  # at once: whoever has more mailboxes in trouble sees the rest in the list of accounts
SENDING_FORBIDDEN = "sending_not_allowed"
OUTBOX = "outbox"  # the one page that all of a user's accounts share

NEEDY = CONNECTED & Q(status__in=NEEDS_SOMEBODY) | WAITING
HELD = Q(state=OutgoingState.QUEUED, held_at__isnull=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """``subject`` says whose need it is, ``why`` what happened, ``what`` what to do and ``page`` is where: one of the
    account's pages, or the OUTBOX. ``told_there`` when the account's own pages say the same."""

    account_id: int
    subject: str
    why: str
    what: str
    page: str
    told_there: bool = True

    @property
    def path(self) -> str:
        return reverse(f"mailaccounts:{self.page}", args=[] if self.page == OUTBOX else [self.account_id])


def of_account(account: MailAccount) -> Need | None:
    """What the account itself wants of its owner; None for nothing."""
    match account.status:
        case AccountStatus.DISCONNECTED:
            return None
        case AccountStatus.NEEDS_ADMIN:
            subject, what, page = "needs its administrator", "See how it is doing", "account"
        case AccountStatus.NEEDS_OWNER:
            subject, what, page = "needs you to sign in again", "Reconnect it", "reconnect"
        case _ if not account.begun:
            subject, what, page = "waits for you to say how far back", "Say how far back", "begin"
        case _:
            return None
    why = account.status_message or "Nothing of it is read until you have said how far back mail is brought in."
    return Need(account_id=account.pk, subject=f"{account.address} {subject}", why=why, what=what, page=page)


def of_message(message: Outgoing) -> Need | None:
    """What a message that was to be sent wants of its author; None for nothing. Says nothing of the message."""
    account = message.account
    if message.state == OutgoingState.QUEUED and message.held_at is not None:
        return _of_messages(account, held=1, undecided=0)
    if message.state not in (OutgoingState.FAILED, OutgoingState.UNCERTAIN) and not message.is_short:
        return None
    return _of_messages(account, held=0, undecided=1, forbidden=message.code == SENDING_FORBIDDEN)


def of_user(user: Any) -> list[Need]:
    """What the user's mailboxes want of them, for every page; before that, who may look at their mail now. One query,
    one more while somebody may, and none for nobody."""
    if not user.is_authenticated:
        return []
    looking = selectors.looking_now(user)
    rows = (
        selectors.overseen_by(user)
        .exclude(status_code=ERASING)
        .select_related(None)
        .annotate(
            held=_count(user, HELD),
            undecided=_count(user, UNDECIDED),
            opened=Exists(looking.filter(account=OuterRef("pk")).order_by()),
        )
    )
    needy = CONNECTED & (NEEDY | Q(held__gt=0) | Q(undecided__gt=0))
    found = list(rows.filter(needy | Q(opened=True)).order_by("-opened", "address")[:SHOWN])
    opened = [_of_opening(each) for each in looking[:SHOWN]] if any(each.opened for each in found) else []
    needs = [
        of_account(each) or _of_messages(each, held=each.held, undecided=each.undecided)
        for each in found
        if each.status != AccountStatus.DISCONNECTED and hooks().can_manage(user, each)
    ]
    return [*opened, *(each for each in needs if each is not None)]


def _of_opening(opening: BreakGlass) -> Need:
    until = date_format(timezone.localtime(opening.until), "j M, H:i")
    return Need(
        account_id=opening.account_id,
        subject=f"{called(opening.viewer)} may look at the mail of {opening.account.address} until {until}",
        why=f"Their reason: {opening.reason}",
        what="What they looked at",
        page="ledger",
        told_there=False,
    )


def _of_messages(account: MailAccount, *, held: int, undecided: int, forbidden: bool = False) -> Need | None:
    if held:
        return Need(
            account_id=account.pk,
            subject=f"{account.address} can't send until you sign in again",
            why=f"{_messages(held)} for it: the sign-in that we have was refused.",
            what="Reconnect it",
            page="reconnect",
        )
    if undecided and forbidden and not account.smtp_host:
        return Need(
            account_id=account.pk,
            subject=f"{account.address} isn't allowed to send",
            why="It is connected for reading only, and what you wrote is kept.",
            what="Allow sending",
            page="allow_sending",
        )
    if undecided:
        return Need(
            account_id=account.pk,
            subject=f"What you sent from {account.address} waits for you",
            why=f"{_messages(undecided)} for your decision: not sent, perhaps sent, or not taken for everybody.",
            what="Decide in the outbox",
            page=OUTBOX,
        )
    return None


def _messages(number: int) -> str:
    return f"{number} messages wait" if number > 1 else "A message waits"


def _count(user: Any, state: Q) -> Coalesce:
    theirs = Outgoing.objects.filter(state, author=user, account=OuterRef("pk")).order_by().values("account")
    return Coalesce(Subquery(theirs.annotate(number=Count("pk")).values("number")), 0)
