"""Follows folders that were renamed: the row takes the new name, with its cursor, and nothing is read again."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.db import transaction

from mailaccounts.errors import FolderMissing, PermissionMissing
from mailaccounts.mail.headers import parse_headers
from mailaccounts.models import Folder, MessageUid
from mailaccounts.rules.renamed import Missing, renamed
from mailaccounts.services.limits import lease

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailaccounts.mail.imap import ImapSession
    from mailaccounts.mail.types import FolderInfo
    from mailaccounts.services.limits.lease import Lease

SAMPLE = 10  # stored messages that have to be found where they were, under the new name

logger = logging.getLogger(__name__)


def follow(rows: Mapping[str, Folder], infos: Sequence[FolderInfo], *, session: ImapSession, held: Lease) -> bool:
    """Renames those of ``rows`` (by name) that the list ``infos`` has under another name; whether there were any."""
    listed = {info.name for info in infos if info.selectable}
    missing = [
        Missing(name=name, mailbox_id=row.mailbox_id, uidvalidity=row.uidvalidity, last_uid=row.last_uid)
        for name, row in rows.items()
        if name not in listed and row.uidvalidity is not None
    ]
    fresh = [
        info for info in infos if info.selectable and (info.name not in rows or rows[info.name].uidvalidity is None)
    ]
    if not missing or not fresh:
        return False
    followed = False
    for pair in renamed(missing, fresh):
        row = rows[pair.old]
        if pair.certain or _holds_the_same(session, row, pair.new):
            _rename(row, pair.new, held=held)
            logger.info("account %d: folder %d was renamed", row.account_id, row.pk)
            followed = True
    return followed


def _holds_the_same(session: ImapSession, row: Folder, name: str) -> bool:
    """Whether the newest stored messages of ``row`` lie in the folder ``name``, under the same UIDs. Without any there
    is no proof, and a folder taken for another one would never be read."""
    places = MessageUid.objects.filter(folder=row, uidvalidity=row.uidvalidity or 0).order_by("-uid")
    stored = dict(places.values_list("uid", "message__fingerprint")[:SAMPLE])
    if not stored:
        return False
    try:
        if session.select(name, readonly=True).uidvalidity != row.uidvalidity:
            return False
    except (FolderMissing, PermissionMissing):
        return False
    found = {
        each.uid: parse_headers(each.header, size=each.size, internal_date=each.internal_date).fingerprint
        for batch in session.headers(sorted(stored))
        for each in batch
    }
    return bool(found) and all(stored[uid] == fingerprint for uid, fingerprint in found.items())


def _rename(row: Folder, name: str, *, held: Lease) -> None:
    with transaction.atomic():
        lease.renew(held)
        Folder.objects.filter(account=row.account_id, name=name).delete()  # never read, or given up
        Folder.objects.filter(pk=row.pk).update(name=name, missing_since=None)
