"""What an author does with a message that is written: has it sent, takes it back, decides what became of it.

Whatever can be wrong with a message is found when it is queued, while its author is there; the draft is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from mailaccounts.errors import (
    AccountDisconnected,
    FilesAwaited,
    MailAccountsError,
    MessageTooLarge,
    NoRecipients,
    OutgoingChanged,
    QuotedWithdrawn,
    SenderNotProven,
    SendingNotAllowed,
)
from mailaccounts.mail.compose import compose, new_message_id, wire_address
from mailaccounts.models import EDITABLE, AccountStatus, Outgoing, OutgoingState
from mailaccounts.queue import Job, enqueue
from mailaccounts.services.sending import drafts
from mailaccounts.services.sending import outgoing as states
from mailaccounts.services.sending.deliver import files_sent
from mailaccounts.services.sending.outgoing import FREE, IN_MAILBOX, NO_TROUBLE, QUEUED_FOR, trouble

if TYPE_CHECKING:
    from mailaccounts.mail.compose import Mailbox
    from mailaccounts.models import MailAccount
    from mailaccounts.services.sending.drafts import Written


GOES_ON = (  # of a message into one that says the same
    *("account", "author", "sender", "sender_name", "subject", "body_text", "body_html"),
    *("in_reply_to", "references", "forwards", "quoted", "quoted_from"),
)


def queue(draft: Outgoing) -> None:
    """Has the draft sent. What is wrong with it is raised, and noted on the draft; OutgoingChanged when it is in the
    post already."""
    draft.refresh_from_db()
    if drafts.take_out_quoted(draft):
        raise QuotedWithdrawn  # and nothing goes that its author hasn't seen as it is now
    try:
        if awaited := draft.enclosed.filter(awaited=True).count():
            raise FilesAwaited(count=awaited)
        raw = compose(drafts.read(draft))
        _insist(draft.account, raw, recipients=drafts.recipients(draft), sender=draft.sender)
    except MailAccountsError as error:
        _in(draft, *EDITABLE).update(**trouble(error))
        raise
    _post(_in(draft, *EDITABLE), draft, raw=raw)


def post(account: MailAccount, raw: bytes, *, message_id: str, recipients: Written, author: Any = None) -> Outgoing:
    """Has a message sent that was composed elsewhere (mail.compose.adopt), to these recipients."""
    _insist(account, raw, recipients=(*recipients.to, *recipients.cc, *recipients.bcc))
    with transaction.atomic():
        made = Outgoing.objects.create(
            account=account, author=author, message_id=message_id, **drafts.columns_of(recipients)
        )
        drafts.address(made, recipients)
        _post(_in(made, OutgoingState.DRAFT), made, raw=raw)
    return made


def send_again(message: Outgoing) -> None:
    """Sends what failed, or may have been sent, once more as it is: whoever has it already may get it twice, with the
    same Message-ID. OutgoingChanged when it is in another state by now."""
    rows = _in(message, OutgoingState.FAILED, OutgoingState.UNCERTAIN).filter(FREE, raw__isnull=False)
    _post(rows, message)


def was_sent(message: Outgoing) -> None:
    """Its author knows that it arrived. OutgoingChanged when it isn't uncertain any more."""
    with transaction.atomic():
        if not states.was_sent(message, by_server=files_sent(message.account)):
            raise OutgoingChanged
        enqueue(Job.SEND, message.pk)


def take_back(message: Outgoing) -> None:
    """Makes a draft of a message that is waiting, before a worker has it; OutgoingChanged when one has."""
    rows = _in(message, OutgoingState.QUEUED).filter(FREE)
    if not states.step(rows, message, OutgoingState.DRAFT, **NO_TROUBLE, next_at=None, queued_at=None):
        raise OutgoingChanged


def look_again(message: Outgoing) -> None:
    """Has a worker look into Sent once more for what may have been sent. OutgoingChanged when that is known by now."""
    with transaction.atomic():
        rows = _in(message, OutgoingState.UNCERTAIN).filter(FREE)
        if not rows.update(next_at=timezone.now() + QUEUED_FOR, failures=0):
            raise OutgoingChanged
        enqueue(Job.SEND, message.pk)


def to_the_refused(message: Outgoing) -> Outgoing:
    """A draft of the same for those only whom it wasn't taken for, its files included. OutgoingChanged when somebody
    asked for it before."""
    with transaction.atomic():
        rows = _in(message, OutgoingState.SENT).select_for_update(of=("self",)).select_related("account", "author")
        sent = rows.first()
        if sent is None or not sent.is_short:
            raise OutgoingChanged
        draft = Outgoing.objects.create(
            message_id=new_message_id(sent.account.address),
            **{name: getattr(sent, name) for name in GOES_ON},
        )
        sent.recipients.filter(refused=True).update(outgoing=draft, refused=False)
        sent.enclosed.update(outgoing=draft)
        _settle(sent)
    return draft


def settle(message: Outgoing) -> None:
    """Its author leaves it at those who got it. OutgoingChanged when that was said before."""
    with transaction.atomic():
        sent = _in(message, OutgoingState.SENT).select_for_update().first()
        if sent is None or not sent.is_short:
            raise OutgoingChanged
        _settle(sent)


def _settle(sent: Outgoing) -> None:
    """What it says was only kept for those whom it wasn't taken for."""
    columns: dict[str, Any] = {"code": "", "message": ""}
    if sent.is_in_mailbox:
        columns |= IN_MAILBOX
    Outgoing.objects.filter(pk=sent.pk).update(**columns)
    sent.enclosed.all().delete()


def _post(rows: Any, message: Outgoing, **columns: Any) -> None:
    now = timezone.now()
    columns |= {**NO_TROUBLE, "queued_at": now, "next_at": now + QUEUED_FOR}
    with transaction.atomic():
        if not states.step(rows, message, OutgoingState.QUEUED, **columns):
            raise OutgoingChanged
        enqueue(Job.SEND, message.pk)


def _insist(account: MailAccount, raw: bytes, *, recipients: tuple[Mailbox, ...], sender: str = "") -> None:
    """That the message may be sent, as far as one can know before the server is asked."""
    if account.status == AccountStatus.DISCONNECTED:
        raise AccountDisconnected(address=account.address)
    if account.smtp is None:
        raise SendingNotAllowed(address=account.address)
    if sender and not account.aliases.filter(address__iexact=sender, proven_at__isnull=False).exists():
        raise SenderNotProven(address=sender)
    if not recipients:
        raise NoRecipients
    for each in recipients:
        wire_address(each.address)
    limit = drafts.limit_of(account)
    if len(raw) > limit:
        raise MessageTooLarge(host=account.smtp_host, size=len(raw), limit=limit)


def _in(message: Outgoing, *wanted: OutgoingState) -> Any:
    return Outgoing.objects.filter(pk=message.pk, state__in=wanted)
