"""The proof of a new sign-in beside the old one: that it opens the same mailbox, and may send.

Both are signed in at the same time. Where the old one is refused by now, the mailbox is compared with the store.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from django.db.models import F, Max
from django.utils import timezone

from mailaccounts.errors import MailAccountsError, MailboxDiffers, Remedy, TokenRejected
from mailaccounts.mail.headers import parse_headers
from mailaccounts.mail.imap import ImapSession
from mailaccounts.mail.smtp import SmtpSession
from mailaccounts.mail.types import FolderRole
from mailaccounts.models import Message, MessageUid
from mailaccounts.rules import labels
from mailaccounts.services.connecting.granted import refused
from mailaccounts.services.moving import snapshot
from mailaccounts.services.signing_in import login
from mailaccounts.services.signing_in.credentials import in_use
from mailaccounts.services.storing.folders import to_read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from mailaccounts.models import Credential, MailAccount
    from mailaccounts.services.connecting.wish import Wish

INBOX = "INBOX"
SAMPLE = 30  # messages compared one by one
SEARCHED = 10  # where they have to be searched for by Message-ID
LOOKS = 3  # at two counters that move while mail arrives
SNAPSHOT_SECONDS = 30.0  # of the time a proof has


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """``snapshot`` is what the mailbox held then, in JSON, with what it was compared with: ``old``, the old sign-in;
    ``store``, where that was refused; ``nothing``, where the inbox has nothing that is stored either."""

    at: datetime
    snapshot: dict[str, Any] = field(repr=False)


def compare(account: MailAccount, pending: Credential, wish: Wish) -> Comparison:
    """Proves ``pending``: login, the same INBOX as the account's, and leave to send where the account sends.

    MailboxDiffers; MailboxRefused, or PermissionMissing for access without a user, when the server doesn't open this
    mailbox; and what ``login`` raises. Trouble at the old server that passes is raised as well: it may be alive.
    """
    until = time.monotonic() + SNAPSHOT_SECONDS
    elsewhere = wish.leaves is not None
    with ExitStack() as stack:
        with _judged(account, pending):
            new = stack.enter_context(login.open_once(ImapSession, pending, wish.draft.imap))
        old = _old_session(account)
        if old is not None:
            stack.enter_context(old)
            _insist_on_same_mailbox(account, old, new, elsewhere=elsewhere)
            by = "old"
        else:
            by = "store" if _agrees_with_store(account, new, elsewhere=elsewhere) else "nothing"
        if wish.draft.smtp is not None:
            with _judged(account, pending), login.open_once(SmtpSession, pending, wish.draft.smtp):
                pass
        shots, left_out = snapshot.take(old or new, until=until)
    return Comparison(
        at=timezone.now(),
        snapshot={
            "by": by,
            "elsewhere": elsewhere,
            "imap": account.imap.url,
            "smtp": account.smtp.url if account.smtp else "",
            "folders": [shot.as_json() for shot in shots],
            "left_out": left_out,
            "places": [] if old else [shot.as_json() for shot in snapshot.of_store(account)],
            **stored(account),
        },
    )


def stored(account: MailAccount) -> dict[str, int]:
    """What is stored of the mailbox: ``last``, the newest of our keys; how many messages; and how many of them have a
    place on the server."""
    messages = Message.objects.filter(account=account)
    placed = MessageUid.objects.filter(folder__account=account, uidvalidity=F("folder__uidvalidity"))
    return {
        "last": messages.aggregate(last=Max("pk"))["last"] or 0,
        "stored": messages.count(),
        "placed": placed.values("message").distinct().count(),
    }


@contextmanager
def _judged(account: MailAccount, pending: Credential) -> Iterator[None]:
    """A new token that the server doesn't take is that of somebody who may not open this mailbox."""
    try:
        yield
    except TokenRejected:
        if pending.grant is None:
            raise
        raise refused(pending.grant, address=account.address) from None


def _old_session(account: MailAccount) -> ImapSession | None:
    """Signed in as before; None when there is nothing to sign in with, or the server doesn't take it any more."""
    current = in_use(account)
    if current is None:
        return None
    try:
        return login.open_with(current, account.imap, limits=login.proof_limits())
    except MailAccountsError as error:
        if error.remedy is Remedy.WAIT:
            raise
        return None


def _insist_on_same_mailbox(account: MailAccount, old: ImapSession, new: ImapSession, *, elsewhere: bool) -> None:
    """That both sign-ins open the same mailbox, or on another server its copy. MailboxDiffers."""
    if elsewhere:
        old.select(INBOX)
        new.select(INBOX)
        newest = old.search()[-SEARCHED:]
        ids = [parse_headers(each.header).message_id for batch in old.headers(newest) for each in batch]
        _insist_on_finding(account, ids, new)
        return
    seen = {info.name for info in to_read(new.folders(), gmail=new.abilities.gmail)}
    if any(info.name not in seen for info in to_read(old.folders(), gmail=old.abilities.gmail)):
        raise MailboxDiffers(address=account.address, what="it has other folders")
    _insist_on_same_numbers(account, old, new)
    sample = _spread(old.search(), SAMPLE)
    before, after = _fingerprints(old, sample), _fingerprints(new, sample)
    common = before.keys() & after.keys()  # whatever is missing on one side was deleted a moment ago
    if any(before[uid] != after[uid] for uid in common) or (before and after and not common):
        raise MailboxDiffers(address=account.address, what="its inbox holds other messages")
    if bool(before) != bool(after) and len(sample) > 1:
        raise MailboxDiffers(address=account.address, what="its inbox holds other messages")


def _insist_on_same_numbers(account: MailAccount, old: ImapSession, new: ImapSession) -> None:
    """That INBOX has the same UIDVALIDITY, and a UIDNEXT between those that the old sign-in sees before and after, for
    mail arrives meanwhile. MailboxDiffers."""
    for _ in range(LOOKS):
        before, now, after = old.select(INBOX), new.select(INBOX), old.select(INBOX)
        if not before.uidvalidity == now.uidvalidity == after.uidvalidity:
            raise MailboxDiffers(address=account.address, what="its inbox is numbered otherwise")
        if before.uidnext <= now.uidnext <= after.uidnext:
            return
    raise MailboxDiffers(address=account.address, what="its inbox got other messages")


def _agrees_with_store(account: MailAccount, new: ImapSession, *, elsewhere: bool) -> bool:
    """That INBOX, or Gmail's folder with all mail, is the one whose messages are stored: by its numbering and a sample
    of them, or by Message-ID where it is numbered otherwise. False when there is nothing to compare, for nothing is
    stored or it is gone from there; MailboxDiffers."""
    read = account.folders.filter(role__in=(FolderRole.INBOX, FolderRole.ALL), uidvalidity__isnull=False)
    folder = read.order_by("-role").first()  # INBOX, if it is read
    if folder is None or folder.uidvalidity is None:
        return False
    state = new.select(INBOX if elsewhere else folder.name)
    places = MessageUid.objects.filter(folder=folder, uidvalidity=folder.uidvalidity).order_by("-uid")
    if elsewhere and folder.role == FolderRole.ALL:
        places = places.filter(labels__contains=labels.INBOX)
    if elsewhere or folder.uidvalidity != state.uidvalidity:
        ids = [*places.exclude(message__message_id="").values_list("message__message_id", flat=True)[:SEARCHED]]
        _insist_on_finding(account, ids, new)
        return bool(ids)
    known = dict(places.values_list("uid", "message__fingerprint")[:SAMPLE])
    there = _fingerprints(new, sorted(known))
    if 0 < state.uidnext <= folder.last_uid or any(known[uid] != there[uid] for uid in there):
        raise MailboxDiffers(address=account.address, what="its inbox holds other messages")
    return bool(there) or not known


def _insist_on_finding(account: MailAccount, ids: Sequence[str], new: ImapSession) -> None:
    """That INBOX has at least half of these messages; MailboxDiffers."""
    ids = [each for each in ids if "@" in each and each.isascii()]
    found = sum(new.holds(each) for each in ids)
    if found * 2 < len(ids):
        what = f"of {len(ids)} messages it has {found}"
        raise MailboxDiffers(address=account.address, what=what)


def _fingerprints(session: ImapSession, uids: Sequence[int]) -> dict[int, str]:
    """By what each message is known, of those that are there, in the open folder."""
    found = chain.from_iterable(session.headers(uids))
    return {
        each.uid: parse_headers(each.header, size=each.size, internal_date=each.internal_date).fingerprint
        for each in found
    }


def _spread(uids: Sequence[int], count: int) -> list[int]:
    """``count`` of ``uids`` from the oldest to the newest, or all of them."""
    if len(uids) <= count:
        return list(uids)
    return [uids[position * (len(uids) - 1) // (count - 1)] for position in range(count)]
