"""What a person does to a mailbox with another mail program, and what the store made of it."""

from __future__ import annotations

import contextlib
import imaplib
import ssl
from typing import TYPE_CHECKING

from mailaccounts.models import MessageUid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mailaccounts.models import MailAccount
    from tests.sandbox_fixtures import SandboxMailbox


@contextlib.contextmanager
def imap_of(mailbox: SandboxMailbox) -> Iterator[imaplib.IMAP4_SSL]:
    """A connection of somebody else's to the mailbox."""
    context = ssl.create_default_context(cafile=str(mailbox.sandbox.ca_file))
    with imaplib.IMAP4_SSL("localhost", mailbox.sandbox.imap.port, ssl_context=context) as imap:
        imap.login(mailbox.address, mailbox.password)
        yield imap


def recreate(mailbox: SandboxMailbox, folder: str, messages: Iterable[bytes]) -> None:
    """Deletes the folder and makes it anew with ``messages``: UIDs begin again, under another UIDVALIDITY."""
    with imap_of(mailbox) as imap:
        for status, _ in (imap.delete(folder), imap.create(folder)):
            assert status == "OK"
        for raw in messages:
            assert imap.append(folder, "", "", raw)[0] == "OK"


def stored_ids(account: MailAccount) -> list[str]:
    """The Message-IDs of what is stored, sorted."""
    return sorted(account.messages.values_list("message_id", flat=True))


def places(account: MailAccount) -> list[tuple[str, int]]:
    """Where messages lie as far as we know: (folder, UID), sorted."""
    rows = MessageUid.objects.filter(folder__account=account)
    return sorted(rows.values_list("folder__name", "uid"))
