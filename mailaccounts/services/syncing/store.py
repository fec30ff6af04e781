"""Writes what a sync found: rows and cursor in one transaction, under the lease, in a constant number of queries.

Writing the same batch twice changes nothing: a message is known by its fingerprint, a place by its UID.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from mailaccounts.mail.uids import uid_set
from mailaccounts.models import Attachment, Folder, Message, MessageUid, Participant
from mailaccounts.rules import flags, labels
from mailaccounts.services.limits.lease import Lease, renew
from mailaccounts.services.moving.steps import certificate_due
from mailaccounts.services.storing import conversations, search, summaries, tallying
from mailaccounts.services.storing.bulk import bulk
from mailaccounts.services.storing.tallying import NONE, Counts
from mailaccounts.services.syncing import topics
from mailaccounts.services.syncing.quarantine import Troublesome, put

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from mailaccounts.mail.headers import Headers
    from mailaccounts.mail.parse import Content
    from mailaccounts.services.syncing.found import Found

BODY = ("has_body", "truncated", "body_text", "body_html", "calendar")  # columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What was examined of a folder, ``examined`` messages; ``found`` are to be kept. Of the others nothing is stored,
    but for where those lie that made ``trouble``.

    The cursor moves up to ``last_uid`` when it was new mail, down to ``history_below`` when it was history, and stays
    when both are None. ``mail_at`` is when mail last came to the account, None when that is no news. ``joining`` are
    messages of other folders, by folder, that are to be stored because of those found: all that are still to be.
    ``counts`` is what it adds to the account's tally.
    """

    folder_id: int
    uidvalidity: int
    examined: int
    found: Sequence[Found]
    trouble: Sequence[Troublesome] = ()
    joining: Mapping[int, Collection[int]] = field(default_factory=dict)
    last_uid: int | None = None
    history_below: int | None = None
    mail_at: datetime | None = None
    stage: str = ""
    counts: Counts = NONE


def stored_bodies(account_id: int, fingerprints: set[str]) -> dict[str, bool]:
    """Those of ``fingerprints`` that are stored, and whether with their body. One query."""
    rows = Message.objects.filter(account_id=account_id, fingerprint__among=fingerprints)
    return dict(rows.values_list("fingerprint", "has_body"))


def store_batch(lease: Lease, batch: Batch) -> int:
    """Stores the batch and moves the cursor past it; the number of messages that are new. LeaseLost, with nothing
    written, when another worker has the account."""
    with transaction.atomic():
        renew(lease, stage=batch.stage[:100], **({"last_mail_at": batch.mail_at} if batch.mail_at else {}))
        ids, new = _store_messages(lease.account_id, batch) if batch.found else ({}, set())
        put(batch.folder_id, batch.uidvalidity, batch.trouble, rows=ids)
        for folder_id, uids in batch.joining.items():
            Folder.objects.filter(pk=folder_id, account=lease.account_id).update(joining=uid_set(uids))
        Folder.objects.filter(pk=batch.folder_id, uidvalidity=batch.uidvalidity).update(
            examined=F("examined") + batch.examined, synced_at=timezone.now(), **_cursor(batch)
        )
        found = ((each.uid, each.headers.fingerprint) for each in batch.found)
        tallying.add(lease.account_id, batch.counts.of(found, new=new))
        return len(new)


def _cursor(batch: Batch) -> dict[str, Any]:
    """The columns of the folder's cursor that the batch moves."""
    columns: dict[str, Any] = {}
    if batch.last_uid is not None:
        columns["last_uid"] = batch.last_uid
    if batch.history_below is not None:
        columns |= {"history_below": batch.history_below, "history_done": F("history_done") + batch.examined}
    return columns


def _store_messages(account_id: int, batch: Batch) -> tuple[dict[str, int], set[str]]:
    """The ids of the batch's messages by fingerprint, and which of these are new."""
    by_fingerprint: dict[str, Found] = {}
    for found in batch.found:  # of copies within the batch, the one with a body counts
        if found.content is not None or found.headers.fingerprint not in by_fingerprint:
            by_fingerprint[found.headers.fingerprint] = found
    rows = {
        message.fingerprint: message
        for message in Message.objects.filter(account_id=account_id, fingerprint__among=by_fingerprint).only(
            "fingerprint", "has_body", "gone_since"
        )
    }
    _note_fetched_again(account_id, rows, by_fingerprint)
    ids = {fingerprint: message.pk for fingerprint, message in rows.items()}
    fresh = [found for fingerprint, found in by_fingerprint.items() if fingerprint not in rows]
    if fresh:
        ids |= _create(account_id, fresh)
    _complete(rows, by_fingerprint)
    back = [row.pk for row in rows.values() if row.gone_since]
    if back:  # expunged where it was, and here it is again: it was moved
        Message.objects.filter(pk__in=back).update(gone_since=None)
    bulk().upsert(
        MessageUid,
        ("folder_id", "uidvalidity", "uid", "message_id", "flags", "seen", "labels"),
        [
            (
                *(batch.folder_id, batch.uidvalidity, found.uid, ids[found.headers.fingerprint]),
                *(flags.text(found.flags), flags.is_seen(found.flags), labels.text(found.provided.labels or ())),
            )
            for found in batch.found
        ],
        unique=("folder_id", "uidvalidity", "uid"),
    )
    summaries.refresh_of(account_id, ids.values())
    return ids, {found.headers.fingerprint for found in fresh}


def _note_fetched_again(account_id: int, rows: Mapping[str, Message], batch: Mapping[str, Found]) -> None:
    """A body was asked for though it was stored: that has to show in a migration's certificate."""
    again = sum(message.has_body and batch[fingerprint].content is not None for fingerprint, message in rows.items())
    if again:
        certificate_due(account_id).update(fetched_again=F("fetched_again") + again)


def _create(account_id: int, fresh: Sequence[Found]) -> dict[str, int]:
    """New messages with all that hangs on them; their ids by fingerprint. The account's row is locked, so nobody else
    adds any."""
    subjects = {found.uid: found.headers.subject for found in fresh}
    threads = conversations.assign(
        account_id, [found.letter for found in fresh], subjects=subjects, ties=topics.ties(account_id, fresh)
    )
    ids = bulk().reserve(Message, len(fresh))
    bulk().insert(
        Message,
        (
            *("id", "account_id", "thread_id", "fingerprint", "message_id", "subject", "sent_at", "received_at"),
            *("size", "provider_id", "provider_thread", "references", "topic", "people", *BODY),
        ),
        [
            (
                *(key, account_id, threads[found.uid], found.headers.fingerprint, found.headers.message_id),
                *(found.headers.subject, found.headers.sent_at, found.received_at, found.size),
                *(found.provided.id, found.provided.thread, " ".join(found.headers.ancestors)),
                *(topics.topic(found.headers), _people(found.headers), *_body(found.content)),
            )
            for key, found in zip(ids, fresh, strict=True)
        ],
    )
    bulk().insert(
        Participant,
        ("message_id", "role", "position", "address", "name"),
        [row for key, found in zip(ids, fresh, strict=True) for row in _participants(key, found.headers)],
    )
    _attach({key: found.content for key, found in zip(ids, fresh, strict=True) if found.content})
    return {found.headers.fingerprint: key for key, found in zip(ids, fresh, strict=True)}


def _complete(rows: Mapping[str, Message], batch: Mapping[str, Found]) -> None:
    """Gives a body to messages that were stored without: it could not be had before."""
    contents = {
        message.pk: content
        for fingerprint, message in rows.items()
        if not message.has_body and (content := batch[fingerprint].content) is not None
    }
    if contents:
        Message.objects.bulk_update(
            [Message(pk=key, **dict(zip(BODY, _body(content), strict=True))) for key, content in contents.items()],
            BODY,
        )
        _attach(contents)


def _body(content: Content | None) -> tuple[bool, bool, str, str, str]:
    """The values of the columns BODY."""
    if content is None:
        return False, False, "", "", ""
    return True, content.truncated, content.text, content.html, content.calendar


def _participants(message_id: int, headers: Headers) -> Iterator[tuple[int, str, int, str, str]]:
    positions: Counter[str] = Counter()
    for party in headers.participants:
        yield message_id, party.role, positions[party.role], party.address, party.name
        positions[party.role] += 1


def _people(headers: Headers) -> str:
    return search.people((each.name, each.address) for each in headers.participants)


def _attach(contents: Mapping[int, Content]) -> None:
    """The attachments of messages that have none yet, by their id."""
    bulk().insert(
        Attachment,
        ("message_id", "position", "name", "content_type", "size", "section", "encoding", "content_id", "inline"),
        [
            (
                *(message_id, position, attachment.name, attachment.content_type, attachment.size),
                *(attachment.section, attachment.encoding, attachment.content_id, attachment.inline),
            )
            for message_id, content in contents.items()
            for position, attachment in enumerate(content.attachments)
        ],
    )
