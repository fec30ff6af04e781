"""Drafts that answer or pass on a stored message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from mailaccounts.mail import answering
from mailaccounts.mail.answering import Original
from mailaccounts.models import Alias, MailAccount, Role
from mailaccounts.services.sending import originals
from mailaccounts.services.sending.drafts import Written, begin

if TYPE_CHECKING:
    from mailaccounts.mail.compose import Mailbox
    from mailaccounts.models import Message, Outgoing


def new(account: MailAccount, *, to: tuple[Mailbox, ...] = ()) -> Written:
    """What a message begins with that answers none."""
    return Written(to=to, sender_name=account.sender_name, text=signed(account))


def reply(message: Message, *, author: Any, everyone: bool = False, account: MailAccount | None = None) -> Outgoing:
    """A draft to whoever wrote the message, or to ``everyone`` who has it, that quotes it; from ``account`` when
    somebody answers what came to another's."""
    account = account or message.account
    answer = answering.reply(_original(message), own=_own(account), everyone=everyone)
    written = Written(
        to=answer.to,
        cc=answer.cc,
        sender=_written_to(message, account),
        sender_name=account.sender_name,
        subject=answer.subject,
        text=signed(account) + answer.text,
    )
    return begin(
        account,
        written,
        author=author,
        in_reply_to=message,
        references=answer.references,
        quoted=answer.text,
    )


def forward(message: Message, *, author: Any, account: MailAccount | None = None) -> Outgoing:
    """A draft to nobody yet, with what the message says. What is attached to it is at the server, and fetched from
    there."""
    account = account or message.account
    answer = answering.forward(_original(message))
    text = signed(account) + answer.text
    written = Written(sender_name=account.sender_name, subject=answer.subject, text=text)
    with transaction.atomic():
        draft = begin(account, written, author=author, forwards=message, quoted=answer.text)
        originals.await_all(draft)
    return draft


def signed(account: MailAccount) -> str:
    """The end of a message, with the mark that mail programs know a signature by (RFC 3676 §4.3)."""
    return f"\n\n-- \n{account.signature}" if account.signature else ""


def _own(account: MailAccount) -> set[str]:
    """The addresses of the account's owner: nobody writes to themselves by answering everyone."""
    theirs = MailAccount.objects.filter(owner=account.owner_id).values_list("address", flat=True)
    aliases = Alias.objects.filter(account__owner=account.owner_id, proven_at__isnull=False)
    return {address.lower() for address in [*theirs, *aliases.values_list("address", flat=True)]}


def _written_to(message: Message, account: MailAccount) -> str:
    """The alias that the message was written to: it is answered from there."""
    to = {each.address for each in message.participants.all() if each.role in {Role.TO, Role.CC}}
    proven = account.aliases.filter(proven_at__isnull=False).values_list("address", flat=True)
    return next((address for address in proven if address.lower() in to), "")


def _original(message: Message) -> Original:
    by_role: dict[str, list[Mailbox]] = {}
    for each in message.participants.all():
        by_role.setdefault(each.role, []).append(answering.mailbox(each.address, each.name))

    def found(role: Role) -> tuple[Mailbox, ...]:
        return tuple(by_role.get(role, ()))

    return Original(
        message_id=message.message_id,
        references=tuple(message.references.split()),
        subject=message.subject,
        sender=found(Role.FROM) or found(Role.SENDER),
        reply_to=found(Role.REPLY_TO),
        to=found(Role.TO),
        cc=found(Role.CC),
        sent_at=message.sent_at,
        text=message.body_text,
    )
