"""Drafts that answer or pass on a stored message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailaccounts.mail import answering
from mailaccounts.mail.answering import Original
from mailaccounts.mail.compose import Mailbox
from mailaccounts.models import MailAccount, Role
from mailaccounts.services.outbox import Written, begin

if TYPE_CHECKING:
    from mailaccounts.models import Message, Outgoing


def reply(message: Message, *, author: Any, everyone: bool = False) -> Outgoing:
    """A draft to whoever wrote the message, or to ``everyone`` who has it, that quotes it."""
    answer = answering.reply(_original(message), own=_own(message.account), everyone=everyone)
    written = Written(to=answer.to, cc=answer.cc, subject=answer.subject, text=answer.text)
    return begin(message.account, written, author=author, in_reply_to=message, references=answer.references)


def forward(message: Message, *, author: Any) -> Outgoing:
    """A draft to nobody yet, with what the message says. What is attached to it is at the server, not here."""
    answer = answering.forward(_original(message))
    return begin(message.account, Written(subject=answer.subject, text=answer.text), author=author)


def _own(account: MailAccount) -> set[str]:
    """The addresses of the account's owner: nobody writes to themselves by answering everyone."""
    addresses = MailAccount.objects.filter(owner=account.owner_id).values_list("address", flat=True)
    return {address.lower() for address in addresses}


def _original(message: Message) -> Original:
    by_role: dict[str, list[Mailbox]] = {}
    for each in message.participants.all():
        by_role.setdefault(each.role, []).append(Mailbox(address=each.address, name=each.name))

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
