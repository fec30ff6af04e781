"""A Django email backend: the host's own mail goes out through one of the accounts, as a person's does."""

from __future__ import annotations

from copy import copy
from email.utils import parseaddr
from typing import TYPE_CHECKING, Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import BadHeaderError

from mailaccounts.conf import settings
from mailaccounts.errors import InvalidInput, MailAccountsError, UnsafeArgument
from mailaccounts.mail.compose import Mailbox, adopt, new_message_id, wire_address
from mailaccounts.models import AccountStatus, MailAccount
from mailaccounts.services.sending.drafts import Written
from mailaccounts.services.sending.outbox import post

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from django.core.mail import EmailMessage


class EmailBackend(BaseEmailBackend):
    """Queues messages, which a worker sends from the account's address once the transaction has committed.

    ``account`` is a MailAccount or its address; without it MAILACCOUNTS["EMAIL_ACCOUNT"] names one. A message from
    DEFAULT_FROM_EMAIL gets the account's address and keeps the name; one from any other address than the account's is
    refused.
    """

    def __init__(self, fail_silently: bool = False, account: MailAccount | str | None = None, **options: Any) -> None:
        super().__init__(fail_silently=fail_silently)
        self._account = account

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """How many were queued. Unless ``fail_silently``, MailAccountsError says why one wasn't."""
        queued = 0
        for message in email_messages:
            try:
                self._post(message)
            except MailAccountsError:
                if not self.fail_silently:
                    raise
            else:
                queued += 1
        return queued

    def _post(self, message: EmailMessage) -> None:
        account = self._find_account()
        message_id = new_message_id(account.address)
        sender = _sender(message, account)
        ours = copy(message)  # with a Message-ID of its own Django doesn't look up this machine's name
        ours.extra_headers = {**message.extra_headers, "Message-ID": f"<{message_id}>"}
        try:
            raw = ours.message().as_bytes()
        except BadHeaderError:
            raise UnsafeArgument(what="A header of the message") from None
        except ValueError:
            raise InvalidInput(what="An address of the message") from None
        recipients = Written(
            to=_mailboxes(message.to),
            cc=_mailboxes(message.cc),
            bcc=_mailboxes(message.bcc),
            sender_name=sender.name,
            subject=str(message.subject),
        )
        post(account, adopt(raw, sender=sender, message_id=message_id), message_id=message_id, recipients=recipients)

    def _find_account(self) -> MailAccount:
        wanted = self._account or settings.email_account
        if isinstance(wanted, MailAccount):
            return wanted
        if not wanted:
            raise ImproperlyConfigured('Set MAILACCOUNTS["EMAIL_ACCOUNT"] to the address of an account.')
        named = MailAccount.objects.filter(address__iexact=wanted)
        found = list(named.exclude(status=AccountStatus.DISCONNECTED)[:2])
        if len(found) != 1:
            raise InvalidInput(what=f"“{wanted}”, of which there isn't exactly one connected account,")
        return found[0]


def _sender(message: EmailMessage, account: MailAccount) -> Mailbox:
    name, address = parseaddr(message.from_email)
    if message.from_email != django_settings.DEFAULT_FROM_EMAIL and address.lower() != account.address.lower():
        raise InvalidInput(what=f"A sender other than {account.address}")
    return Mailbox(address=account.address, name=name)


def _mailboxes(recipients: Iterable[str]) -> tuple[Mailbox, ...]:
    found = []
    for recipient in map(str, recipients):
        name, address = parseaddr(recipient)
        found.append(Mailbox(address=wire_address(address or recipient), name=name))
    return tuple(found)
