"""Whether what a message quotes may still be passed on by its author: an owner may share less, or erase, meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailaccounts import selectors

if TYPE_CHECKING:
    from mailaccounts.models import Outgoing


def is_withdrawn(message: Outgoing) -> bool:
    """Whether there is something in it of a message that its author may not read any more, in whatever mailbox.

    Once that message is gone, what is quoted of it stays where it was in a mailbox of the author's own.
    """
    if message.author is None or not (message.quoted or message.enclosed.filter(of_original=True).exists()):
        return False
    if original := message.in_reply_to or message.forwards:
        return not selectors.readable_by(message.author).filter(fingerprint=original.fingerprint).exists()
    return not selectors.mailboxes_of(message.author).filter(pk=message.quoted_from_id or 0).exists()
