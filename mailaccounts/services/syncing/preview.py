"""Counts what would be stored of a mailbox before anything is: from headers alone, by the rule that a sync goes by."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from mailaccounts.errors import AccountPaused, FolderMissing, LeaseLost, MailAccountsError, PermissionMissing
from mailaccounts.mail.headers import parse_headers
from mailaccounts.models import Ending, MailAccount, Preview
from mailaccounts.queue import Job, enqueue
from mailaccounts.rules.labels import is_left_out
from mailaccounts.rules.threads import Letter, matched, provider_key
from mailaccounts.services.limits import lease
from mailaccounts.services.people import acquaintances
from mailaccounts.services.signing_in import login
from mailaccounts.services.storing import folders, tallying
from mailaccounts.services.syncing.bodies import isolated

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from mailaccounts.mail.imap import ImapSession
    from mailaccounts.mail.types import FetchedHeaders, FolderInfo

SECONDS = 60.0  # that somebody would wait for figures
MOST = 100_000  # messages
PEOPLE = 200  # with the most messages, who are shown
QUEUED_FOR = timedelta(minutes=1)  # what no worker has begun with by then is queued again
NOBODY: frozenset[str] = frozenset()


def ask(account: MailAccount, *, since: date | None) -> bool:
    """Queues the counting of mail since ``since`` (None: all there is); one that is under way stops. False when the
    first sync has begun, or the account is disconnected."""
    with transaction.atomic():
        now = timezone.now()
        if not MailAccount.objects.filter(lease.WAITING, pk=account.pk).update(
            lease_owner="", lease_until=None, stage="", next_sync_at=now + QUEUED_FOR
        ):
            return False
        Preview.objects.filter(account=account).delete()
        Preview.objects.create(account=account, since=since, asked_at=now)
        enqueue(Job.PREVIEW, account.pk)
    return True


def count(account_id: int) -> None:
    """Counts what was asked for, unless that is done, or another worker does it. What goes wrong is in the preview."""
    preview = Preview.objects.select_related("account").filter(account=account_id, ended="").first()
    if preview is None:
        return
    if preview.account.paused_at is not None:
        paused = AccountPaused(address=preview.account.address)
        preview.ended, preview.problem = paused.code, paused.message
        preview.save(update_fields=["ended", "problem"])
        return
    held = lease.claim(preview.account, state=lease.WAITING, stage="Signing in")
    if held is None:
        return
    preview.account.since = preview.since
    counting = Counting(preview=preview, held=held)
    try:
        counting.run()
        preview.ended = Ending.LONG_ENOUGH if counting.is_over else Ending.COMPLETE
    except LeaseLost:
        return  # the first sync has begun, or another preview was asked for
    except MailAccountsError as error:
        preview.ended, preview.problem = error.code, error.message
    finally:
        with transaction.atomic():
            if lease.release(held, next_sync_at=None):
                preview.save()


@dataclass(slots=True, kw_only=True)
class Counting:
    """Goes through the folders, the newest mail first. What is kept of a message doesn't grow with it."""

    preview: Preview
    held: lease.Lease
    until: float = field(default_factory=lambda: time.monotonic() + SECONDS)
    is_over: bool = False
    letters: dict[str, Letter] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    spelled: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        """Counts until all is counted, or it took long enough: ``is_over``. MailAccountsError, with what was counted
        by then."""
        try:
            with login.open_imap(self.preview.account) as session:
                for info in folders.to_read(session.folders(), gmail=session.abilities.gmail):
                    self._read(info, session)
        finally:
            self._judge()

    def _read(self, info: FolderInfo, session: ImapSession) -> None:
        if self._is_enough():
            return
        try:
            session.select(info.name, readonly=True)
        except (FolderMissing, PermissionMissing):
            if folders.is_indispensable(info, gmail=session.abilities.gmail):
                raise
            return
        uids = session.search(since=self.preview.account.reaches_to)[::-1]
        first = self.preview.examined
        for batch in session.headers(uids):
            self._enter(len(batch))
            self._note(batch)
            self.preview.examined += len(batch)
            done = self.preview.examined - first
            self._show(f"Reading {info.name[:30]}, {done} of {len(uids)}")
            if done < len(uids) and self._is_enough():
                return

    def _enter(self, count: int) -> None:
        """Enters into the ledger that so many headers were read, whoever has the account by now."""
        with transaction.atomic():
            if MailAccount.objects.select_for_update().only("pk").filter(pk=self.held.account_id).first():
                tallying.add(self.held.account_id, {"previewed": count})

    def _is_enough(self) -> bool:
        self.is_over = self.is_over or time.monotonic() > self.until or len(self.letters) >= MOST
        return self.is_over

    def _note(self, batch: Sequence[FetchedHeaders]) -> None:
        """Keeps of each message what ties it to others, and of its people those whom the host knows."""
        fresh = []
        for each in batch:
            parse = partial(parse_headers, each.header, size=each.size, internal_date=each.internal_date)
            headers = isolated(parse, folder_id=0, uid=each.uid)
            if headers is None or is_left_out(each.provided.labels) or headers.fingerprint in self.letters:
                continue
            if not self.preview.account.wants(each.internal_date):
                continue
            keys = headers.thread_keys + provider_key(each.provided.thread)
            uid = len(self.letters)
            self.letters[headers.fingerprint] = Letter(uid=uid, keys=tuple(map(self._once, keys)), addresses=NOBODY)
            fresh.append((headers.fingerprint, headers.addresses))
        addresses = frozenset().union(*(people for _, people in fresh))
        known = acquaintances.ask(self.preview.account, addresses).known
        self.known |= known
        for fingerprint, people in fresh:
            if theirs := people & known:
                self.letters[fingerprint] = replace(self.letters[fingerprint], addresses=theirs)

    def _judge(self) -> None:
        """Writes into the preview what a sync would make of all that was read."""
        wanted = matched(list(self.letters.values()), known=self.known, stored={})
        people = Counter(
            address for letter in self.letters.values() if letter.uid in wanted for address in letter.addresses
        )
        self.preview.matched, self.preview.known = len(wanted), len(people)
        most = sorted(people.items(), key=lambda each: (-each[1], each[0]))
        self.preview.people = [list(each) for each in most[:PEOPLE]]

    def _once(self, text: str) -> str:
        """The same text again instead of another copy: conversations repeat their Message-IDs."""
        return self.spelled.setdefault(text, text)

    def _show(self, stage: str) -> None:
        """Tells how far it is, and keeps the lease."""
        with transaction.atomic():
            lease.renew(self.held, stage=stage[:100])
            Preview.objects.filter(pk=self.preview.pk).update(examined=self.preview.examined)
