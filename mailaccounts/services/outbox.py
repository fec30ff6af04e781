"""What an author does with a message: writes it, has it sent, takes it back, decides what became of it.

Whatever can be wrong with a message is found when it is queued, while its author is there; the draft is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from mailaccounts import presets
from mailaccounts.conf import settings
from mailaccounts.errors import (
    AccountDisconnected,
    InvalidInput,
    MailAccountsError,
    MessageTooLarge,
    NoRecipients,
    OutgoingChanged,
    SendingNotAllowed,
    UnsafeArgument,
)
from mailaccounts.mail.compose import Draft, Enclosure, Mailbox, compose, new_message_id, wire_address
from mailaccounts.mail.sanitize import clean_html, html_to_text
from mailaccounts.models import AccountStatus, Enclosed, Message, Outgoing, OutgoingState, Recipient, Role
from mailaccounts.queue import Job, enqueue
from mailaccounts.services import outgoing as states
from mailaccounts.services.deliver import files_sent
from mailaccounts.services.outgoing import FREE, NO_TROUBLE, QUEUED_FOR, trouble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailaccounts.models import MailAccount

EDITABLE = (OutgoingState.DRAFT, OutgoingState.FAILED)
MAX_ADDRESS, MAX_NAME = 320, 255  # characters, of what was typed


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What an author has written so far; it needn't be right yet."""

    to: tuple[Mailbox, ...] = ()
    cc: tuple[Mailbox, ...] = ()
    bcc: tuple[Mailbox, ...] = ()
    sender_name: str = ""
    subject: str = ""
    text: str = field(default="", repr=False)
    html: str = field(default="", repr=False)
    enclosures: tuple[Enclosure, ...] = ()


def begin(
    account: MailAccount,
    written: Written,
    *,
    author: Any,
    in_reply_to: Message | None = None,
    references: tuple[str, ...] = (),
) -> Outgoing:
    """A draft. UnsafeArgument or InvalidInput for what no database keeps."""
    columns = _columns(written)
    with transaction.atomic():
        draft = Outgoing.objects.create(
            account=account,
            author=author,
            message_id=new_message_id(account.address),
            in_reply_to=in_reply_to,
            references=" ".join(references),
            **columns,
        )
        _write_parts(draft, written)
    return draft


def change(draft: Outgoing, written: Written) -> None:
    """The draft, or what couldn't be sent, says this now. OutgoingChanged when it is in the post by now."""
    columns = _columns(written) | {"raw": None, **NO_TROUBLE}
    with transaction.atomic():
        if not states.step(_in(draft, *EDITABLE), draft, OutgoingState.DRAFT, **columns):
            raise OutgoingChanged
        _write_parts(draft, written)


def queue(draft: Outgoing) -> None:
    """Has the draft sent. What is wrong with it is raised, and noted on the draft; OutgoingChanged when it is in the
    post already."""
    draft.refresh_from_db()
    try:
        raw = compose(_read(draft))
        _insist(draft.account, raw, recipients=_mailboxes(draft))
    except MailAccountsError as error:
        _in(draft, *EDITABLE).update(**trouble(error))
        raise
    _post(_in(draft, *EDITABLE), draft, raw=raw)


def post(account: MailAccount, raw: bytes, *, message_id: str, recipients: Written, author: Any = None) -> Outgoing:
    """Has a message sent that was composed elsewhere (mail.compose.adopt), to these recipients."""
    _insist(account, raw, recipients=(*recipients.to, *recipients.cc, *recipients.bcc))
    with transaction.atomic():
        made = Outgoing.objects.create(account=account, author=author, message_id=message_id, **_columns(recipients))
        _write_parts(made, recipients)
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


def discard(message: Outgoing) -> None:
    """Deletes a draft, or what couldn't be sent; OutgoingChanged when it is in the post or was sent."""
    with transaction.atomic():
        if not _in(message, *EDITABLE).select_for_update().only("pk").first():
            raise OutgoingChanged
        message.delete()


def _post(rows: Any, message: Outgoing, **columns: Any) -> None:
    now = timezone.now()
    columns |= {**NO_TROUBLE, "queued_at": now, "next_at": now + QUEUED_FOR}
    with transaction.atomic():
        if not states.step(rows, message, OutgoingState.QUEUED, **columns):
            raise OutgoingChanged
        enqueue(Job.SEND, message.pk)


def _insist(account: MailAccount, raw: bytes, *, recipients: tuple[Mailbox, ...]) -> None:
    """That the message may be sent, as far as one can know before the server is asked."""
    if account.status == AccountStatus.DISCONNECTED:
        raise AccountDisconnected(address=account.address)
    if account.smtp is None:
        raise SendingNotAllowed(address=account.address)
    if not recipients:
        raise NoRecipients
    for each in recipients:
        wire_address(each.address)
    preset = presets.for_mailbox(account.address, account.imap_host, extra=settings.extra_presets)
    known = preset.limits.message_bytes if preset else None
    limit = min(settings.max_outgoing_bytes, known or settings.max_outgoing_bytes)
    if len(raw) > limit:
        raise MessageTooLarge(host=account.smtp_host, size=len(raw), limit=limit)


def _in(message: Outgoing, *wanted: OutgoingState) -> Any:
    return Outgoing.objects.filter(pk=message.pk, state__in=wanted)


def _columns(written: Written) -> dict[str, str]:
    """Of the draft itself. HTML is cleaned, and read for those who see text only."""
    html = clean_html(written.html) if written.html else ""
    columns = {
        "sender_name": written.sender_name,
        "subject": written.subject,
        "body_text": written.text or html_to_text(html),
        "body_html": html,
    }
    typed = [*columns.values(), *(text for each in _all(written) for text in (each.address, each.name))]
    if any("\0" in text for text in typed):
        raise UnsafeArgument(what="What was typed")
    if any(len(each.address) > MAX_ADDRESS or len(each.name) > MAX_NAME for each in _all(written)):
        raise InvalidInput(what="A recipient, which is too long,")
    if len(written.sender_name) > MAX_NAME:
        raise InvalidInput(what="The sender's name, which is too long,")
    return columns


def _all(written: Written) -> Iterator[Mailbox]:
    yield from (*written.to, *written.cc, *written.bcc)


def _write_parts(draft: Outgoing, written: Written) -> None:
    draft.recipients.all().delete()
    draft.enclosed.all().delete()
    Recipient.objects.bulk_create(
        Recipient(outgoing=draft, role=role, position=position, address=each.address, name=each.name)
        for role, mailboxes in ((Role.TO, written.to), (Role.CC, written.cc), (Role.BCC, written.bcc))
        for position, each in enumerate(mailboxes)
    )
    for position, each in enumerate(written.enclosures):  # one by one: each may be large
        Enclosed.objects.create(
            outgoing=draft,
            position=position,
            name=each.name.replace("\0", "")[-MAX_NAME:],
            content_type=each.content_type[:127],
            content=each.content,
        )


def _mailboxes(draft: Outgoing, *roles: Role) -> tuple[Mailbox, ...]:
    rows = draft.recipients.filter(role__in=roles) if roles else draft.recipients.all()
    return tuple(Mailbox(address=each.address, name=each.name) for each in rows)


def _read(draft: Outgoing) -> Draft:
    account = draft.account
    return Draft(
        sender=Mailbox(address=account.address, name=draft.sender_name),
        to=_mailboxes(draft, Role.TO),
        cc=_mailboxes(draft, Role.CC),
        message_id=draft.message_id,
        date=timezone.now(),
        subject=draft.subject,
        text=draft.body_text,
        html=draft.body_html,
        in_reply_to=draft.in_reply_to.message_id if draft.in_reply_to else "",
        references=tuple(draft.references.split()),
        enclosures=tuple(
            Enclosure(name=each.name, content_type=each.content_type, content=bytes(each.content))
            for each in draft.enclosed.all()
        ),
    )
