"""Reads what is attached to a message from its mailbox, when somebody opens it. Nothing of it is stored."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mailaccounts.conf import settings
from mailaccounts.errors import FolderMissing, MessageGone
from mailaccounts.mail.decoding import decoded
from mailaccounts.models import MessageUid
from mailaccounts.services.signing_in.login import open_imap

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from mailaccounts.mail.imap import ImapSession
    from mailaccounts.mail.types import Limits
    from mailaccounts.models import Attachment, Message

SECONDS = 300  # that a download may take, and keep a web server busy
PLACES = 3  # where a message lies that are tried


def read(attachment: Attachment) -> Generator[bytes, None, None]:
    """What is attached, decoded, piece by piece while it comes from the server.

    The first piece raises what a login raises, and MessageGone when it isn't there any more; a later one what ends a
    session, after which the beginning is all there is. Ask only for what the user may read.
    """
    if not attachment.section:
        raise MessageGone
    limits: Limits = replace(settings.network.limits, session_seconds=SECONDS)
    with open_imap(attachment.message.account, limits=limits) as session:
        yield from decoded(_encoded(session, attachment), attachment.encoding)


def _encoded(session: ImapSession, attachment: Attachment) -> Iterator[bytes]:
    """The part as it is in the message, from the first place where that still lies."""
    for place in _places(attachment.message):
        pieces = session.pieces(place.uid, attachment.section)
        try:
            if session.select(place.folder.name).uidvalidity != place.uidvalidity:
                continue
            first = next(pieces, b"")
        except (FolderMissing, MessageGone):
            continue
        yield first
        yield from pieces
        return
    raise MessageGone


def _places(message: Message) -> list[MessageUid]:
    return list(MessageUid.objects.filter(message=message).select_related("folder").order_by("-pk")[:PLACES])
