"""What a message came with goes along when it is passed on: a worker fetches it from the mailbox, into the draft."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from mailaccounts import selectors
from mailaccounts.errors import MailAccountsError, MessageGone, MessageTooLarge, NeverFetched
from mailaccounts.models import EDITABLE, Enclosed, Outgoing
from mailaccounts.queue import Job, enqueue
from mailaccounts.services.inbox import attached
from mailaccounts.services.sending import drafts
from mailaccounts.services.sending.outgoing import QUEUED_FOR

if TYPE_CHECKING:
    from datetime import datetime

logger = logging.getLogger(__name__)

MOST_LOST = 3  # workers over one file


def await_all(draft: Outgoing) -> None:
    """All the files of the message that ``draft`` passes on go along, once a worker has fetched them. Pictures within
    its text don't: the text goes on without them."""
    if draft.forwards is None:
        return
    files = draft.forwards.attachments.filter(inline=False)
    Enclosed.objects.bulk_create(
        Enclosed(
            outgoing=draft,
            position=position,
            name=each.name or f"attachment-{position + 1}",
            content_type=each.content_type,
            content=b"",
            original=each,
            of_original=True,
            awaited=True,
        )
        for position, each in enumerate(files)
    )
    if files:
        _have_fetched(draft)


def try_again(draft: Outgoing) -> None:
    """Has a worker fetch what isn't there yet."""
    with transaction.atomic():
        if draft.enclosed.filter(awaited=True).update(problem="", lost=0):
            _have_fetched(draft)


def fetch(outgoing_id: int) -> None:
    """Fetches the files that a draft waits for, one after the other; what stands in the way of one is noted there,
    and that worker after worker was lost over it."""
    awaited = Enclosed.objects.filter(outgoing=outgoing_id, awaited=True).defer("content")
    for each in awaited.select_related("outgoing__account", "outgoing__author", "original__message__account"):
        rows = Enclosed.objects.filter(pk=each.pk, awaited=True)
        try:
            if each.lost >= MOST_LOST:
                raise NeverFetched
            if not rows.update(lost=F("lost") + 1):
                continue  # it was left out, or fetched by another worker
            _hold(outgoing_id)
            content = _read(each)
        except MailAccountsError as error:
            logger.info("outgoing %d: a file couldn't be fetched: %s", outgoing_id, error.code)
            rows.update(problem=error.message, lost=0)
        else:
            rows.update(content=content, awaited=False, problem="")
    Outgoing.objects.filter(pk=outgoing_id).update(changed_at=timezone.now())
    Outgoing.objects.filter(pk=outgoing_id, state__in=EDITABLE).update(next_at=None)


def _have_fetched(draft: Outgoing) -> None:
    draft.next_at = _hold(draft.pk)
    enqueue(Job.ENCLOSE, draft.pk)


def _hold(draft_id: int) -> datetime:
    """A worker that is lost is followed by another, at the time returned."""
    until = timezone.now() + QUEUED_FOR
    Outgoing.objects.filter(pk=draft_id, state__in=EDITABLE).update(next_at=until)
    return until


def _read(file: Enclosed) -> bytes:
    """What is in it. MessageGone when it isn't there, or not for the author's eyes any more; MessageTooLarge."""
    original, draft = file.original, file.outgoing
    if original is None or not selectors.readable_by(draft.author).filter(pk=original.message_id).exists():
        raise MessageGone
    drafts.insist_on_room(draft, original.size)
    limit, pieces, size = drafts.limit_of(draft.account), [], 0
    for piece in attached.read(original):
        pieces.append(piece)
        size += len(piece)
        if size > limit:  # whatever its size was said to be
            raise MessageTooLarge(host=draft.account.smtp_host or "the server", size=size, limit=limit)
    drafts.insist_on_room(draft, size)
    return b"".join(pieces)
