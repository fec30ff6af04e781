"""Drafts: what an author has written so far, and the files that go along. It needn't be right before it is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Max, Sum
from django.db.models.functions import Coalesce, Length
from django.utils import timezone

from mailaccounts import presets
from mailaccounts.conf import settings
from mailaccounts.errors import InvalidInput, MessageTooLarge, OutgoingChanged, QuotedWithdrawn, UnsafeArgument
from mailaccounts.mail import answering
from mailaccounts.mail.compose import Draft, Enclosure, Mailbox, new_message_id
from mailaccounts.mail.sanitize import clean_html, html_to_text
from mailaccounts.models import EDITABLE, Enclosed, Outgoing, OutgoingState, Recipient, Role
from mailaccounts.services.sending import outgoing as states
from mailaccounts.services.sending import quoted as quotations
from mailaccounts.services.sending.outgoing import NO_TROUBLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailaccounts.models import MailAccount, Message

MAX_ADDRESS, MAX_NAME = 320, 255  # characters, of what was typed
MAX_SENDER = 254


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What an author has written. ``sender`` is an alias of the account's, "" for its own address."""

    to: tuple[Mailbox, ...] = ()
    cc: tuple[Mailbox, ...] = ()
    bcc: tuple[Mailbox, ...] = ()
    sender: str = ""
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
    forwards: Message | None = None,
    quoted: str = "",
) -> Outgoing:
    """A draft, with what is ``quoted`` in it of the message that it answers or passes on. UnsafeArgument or
    InvalidInput for what no database keeps."""
    columns, original = columns_of(written), in_reply_to or forwards
    with transaction.atomic():
        draft = Outgoing.objects.create(
            account=account,
            author=author,
            message_id=new_message_id(account.address),
            in_reply_to=in_reply_to,
            forwards=forwards,
            quoted=quoted,
            quoted_from=original.account if original else None,
            references=" ".join(references),
            **columns,
        )
        address(draft, written)
        for position, each in enumerate(written.enclosures):  # one by one: each may be large
            _add(draft, each, position=position)
    return draft


def change(draft: Outgoing, written: Written, *, account: MailAccount | None = None) -> None:
    """The draft, or what couldn't be sent, says this now, from another ``account`` of its author's perhaps; the files
    that go along stay. OutgoingChanged when it is in the post by now."""
    columns = columns_of(written) | {"raw": None, "changed_at": timezone.now(), **NO_TROUBLE}
    if account is not None:
        columns["account"] = account
    with transaction.atomic():
        if not states.step(editable(draft), draft, OutgoingState.DRAFT, **columns):
            raise OutgoingChanged
        address(draft, written)


def take_out_quoted(draft: Outgoing) -> bool:
    """Takes out what a draft, or what couldn't be sent, quotes, and the files of the message that it passes on, once
    its author may not read that one any more; whether that was so. What they wrote themselves stays, and the draft
    says why."""
    with transaction.atomic():
        found = editable(draft).select_for_update(of=("self",)).select_related("author").first()
        if found is None or not quotations.is_withdrawn(found):
            return False
        found.enclosed.filter(of_original=True).delete()
        columns = {"body_text": answering.without(found.body_text, found.quoted), "quoted": "", "raw": None}
        said = {**NO_TROUBLE, **states.trouble(QuotedWithdrawn()), "changed_at": timezone.now()}
        states.step(editable(found), found, OutgoingState.DRAFT, **columns, **said)
    draft.refresh_from_db()
    return True


def enclose(draft: Outgoing, *files: Enclosure) -> None:
    """These files go along. OutgoingChanged when it is in the post by now; MessageTooLarge, and then none does."""
    with transaction.atomic():
        if not editable(draft).select_for_update().only("pk").first():
            raise OutgoingChanged
        insist_on_room(draft, sum(len(each.content) for each in files))
        last = draft.enclosed.aggregate(last=Coalesce(Max("position"), -1))["last"]
        for position, each in enumerate(files, start=last + 1):  # one by one: each may be large
            _add(draft, each, position=position)


def insist_on_room(draft: Outgoing, octets: int) -> None:
    """MessageTooLarge when files of so many octets more are too much for its server."""
    there = draft.enclosed.aggregate(octets=Coalesce(Sum(Length("content")), 0))["octets"]
    size, limit = on_the_way(there + octets), limit_of(draft.account)
    if size > limit:
        raise MessageTooLarge(host=draft.account.smtp_host or "the server", size=size, limit=limit)


def leave_out(draft: Outgoing, enclosed_id: int) -> None:
    """The file doesn't go along after all. OutgoingChanged when the message is in the post by now."""
    with transaction.atomic():
        if not editable(draft).select_for_update().only("pk").first():
            raise OutgoingChanged
        draft.enclosed.filter(pk=enclosed_id).delete()


def discard(draft: Outgoing) -> None:
    """Deletes a draft, or what couldn't be sent; OutgoingChanged when it is in the post or was sent."""
    with transaction.atomic():
        if not editable(draft).select_for_update().only("pk").first():
            raise OutgoingChanged
        draft.delete()


def limit_of(account: MailAccount) -> int:
    """The octets that a message of the account's may have: what its provider takes, as far as that is known."""
    preset = presets.for_mailbox(account.address, account.imap_host, extra=settings.extra_presets)
    known = preset.limits.message_bytes if preset else None
    return min(settings.max_outgoing_bytes, known or settings.max_outgoing_bytes)


def on_the_way(octets: int) -> int:
    """What so many octets of files become in a message: base64, in lines of 76 characters (RFC 2045 §6.8)."""
    return -(-octets // 57) * 78


def editable(draft: Outgoing) -> Any:
    return Outgoing.objects.filter(pk=draft.pk, state__in=EDITABLE)


def columns_of(written: Written) -> dict[str, Any]:
    """Of the draft itself. HTML is cleaned, and read for those who see text only."""
    html = clean_html(written.html) if written.html else ""
    columns = {
        "sender": written.sender,
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
    if len(written.sender_name) > MAX_NAME or len(written.sender) > MAX_SENDER:
        raise InvalidInput(what="The sender's name or address, which is too long,")
    return columns


def address(draft: Outgoing, written: Written) -> None:
    """Notes whom the message is for."""
    draft.recipients.all().delete()
    Recipient.objects.bulk_create(
        Recipient(outgoing=draft, role=role, position=position, address=each.address, name=each.name)
        for role, mailboxes in ((Role.TO, written.to), (Role.CC, written.cc), (Role.BCC, written.bcc))
        for position, each in enumerate(mailboxes)
    )


def recipients(draft: Outgoing, *roles: Role) -> tuple[Mailbox, ...]:
    """Whom the message is for, in these ``roles`` or in any."""
    rows = draft.recipients.filter(role__in=roles) if roles else draft.recipients.all()
    return tuple(Mailbox(address=each.address, name=each.name) for each in rows)


def read(draft: Outgoing) -> Draft:
    """The draft as it is composed."""
    references = tuple(draft.references.split())
    return Draft(
        sender=Mailbox(address=draft.sender or draft.account.address, name=draft.sender_name),
        to=recipients(draft, Role.TO),
        cc=recipients(draft, Role.CC),
        message_id=draft.message_id,
        date=timezone.now(),
        subject=draft.subject,
        text=draft.body_text,
        html=draft.body_html,
        in_reply_to=references[-1] if references else "",  # what it answers may have been erased here by now
        references=references,
        enclosures=tuple(
            Enclosure(name=each.name, content_type=each.content_type, content=bytes(each.content))
            for each in draft.enclosed.all()
        ),
    )


def _all(written: Written) -> Iterator[Mailbox]:
    yield from (*written.to, *written.cc, *written.bcc)


def _add(draft: Outgoing, file: Enclosure, *, position: int) -> None:
    Enclosed.objects.create(
        outgoing=draft,
        position=position,
        name=file.name.replace("\0", "")[-MAX_NAME:],
        content_type=file.content_type[:127],
        content=file.content,
    )
