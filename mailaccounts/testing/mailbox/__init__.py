"""A made-up mailbox that looks like a real one: the same bytes for the same seed, with the truth about each message.

It holds conversations with contacts, with colleagues and with strangers, mailing lists, newsletters and notices, in
eight languages and a dozen charsets, with HTML and attachments, and some messages that are malformed on purpose.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from mailaccounts.testing.mailbox.threads import ARCHIVE, Cast
from mailaccounts.testing.mailbox.truth import Address, AttachmentTruth, GeneratedMessage, Truth
from mailaccounts.testing.mailbox.words import Person
from mailaccounts.testing.mailbox.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Address", "AttachmentTruth", "GeneratedMessage", "Person", "Truth", "generate"]

NEWEST = datetime(2026, 11, 1, 12, tzinfo=UTC)


def generate(
    count: int,
    *,
    seed: int,
    owner: Person,
    contacts: Sequence[Person],
    share: float = 0.156,
    crossing: float = 0.0,
    malformed: float = 0.02,
    copies: float = 0.0,
    attached: float = 0.12,
    attachment_bytes: tuple[int, int] = (10_000, 500_000),
    newest: datetime = NEWEST,
    days: int = 300,
) -> Iterator[GeneratedMessage]:
    """Yields ``count`` messages, oldest first, ending at ``newest`` and reaching back ``days``.

    About ``share`` of them have a contact or are in a thread with one. ``crossing`` is the part of those threads whose
    contact joins late, or only in another folder. ``malformed`` and ``copies`` (the same message again in Archive) are
    shares of all, ``attached`` of the mail between people; attachments have ``attachment_bytes``, least and most.
    """
    rng = Random(seed)  # noqa: S311 - the same mailbox again is the point
    cast = Cast(rng, owner=owner, contacts=contacts, share=share, crossing=crossing)
    writer = Writer(rng, attachment_bytes=attachment_bytes, attached=attached, malformed=malformed)
    step = timedelta(days=days) / max(count, 1)
    date = newest.replace(microsecond=0) - timedelta(days=days)
    number = 0
    while number < count:
        date += step
        message = writer.write(cast.next(last=number + 1 == count), number=number, date=date.replace(microsecond=0))
        number += 1
        yield message
        if number < count and rng.random() < copies:
            number += 1
            yield replace(message, folder=ARCHIVE, truth=replace(message.truth, copy=True))
