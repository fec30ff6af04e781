"""Compares what is at a mail server with what is stored of it: folder by folder, by UID, from headers only.

What belongs into the store is judged anew by the privacy rule, over all of the mailbox at once: whatever way a sync
took through it, this is where it had to get to. No body is asked for.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from mailaccounts.conf import settings
from mailaccounts.errors import (
    AccountBusy,
    AccountDisconnected,
    FolderMissing,
    LeaseLost,
    MailAccountsError,
    NotBegun,
    PermissionMissing,
)
from mailaccounts.mail.headers import parse_headers
from mailaccounts.mail.imap_fetch import BATCH
from mailaccounts.models import AccountStatus, MailAccount, MessageUid, Quarantined
from mailaccounts.rules.labels import is_left_out
from mailaccounts.rules.threads import Letter, matched, provider_key
from mailaccounts.services.checking import doubled
from mailaccounts.services.limits import lease
from mailaccounts.services.people import acquaintances
from mailaccounts.services.signing_in import login
from mailaccounts.services.storing import conversations, folders
from mailaccounts.services.syncing import quarantine
from mailaccounts.services.syncing.bodies import isolated
from mailaccounts.services.syncing.judge import forgotten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailaccounts.mail.imap import ImapSession
    from mailaccounts.mail.types import FetchedHeaders, FolderInfo
    from mailaccounts.models import Folder

    Progress = Callable[[str], None]

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Comparison:
    """A message counts once for each place it has at the server. ``missing`` are the UIDs that aren't stored, by the
    folder's name; ``doubled`` the messages stored once too often: which, and what each is a second one of, by id."""

    account: str
    folders: int = 0
    expected: int = 0
    missing: dict[str, list[int]] = field(default_factory=dict)
    doubled: dict[int, int] = field(default_factory=dict)
    error: MailAccountsError | None = None

    @property
    def missing_count(self) -> int:
        return sum(map(len, self.missing.values()))

    @property
    def agrees(self) -> bool:
        return self.error is None and not self.missing and not self.doubled

    def as_json(self) -> dict[str, Any]:
        """The shape of ``audit_mailboxes --json``."""
        return {
            "account": self.account,
            "folders": self.folders,
            "expected": self.expected,
            "present": self.expected - self.missing_count,
            "missing": self.missing_count,
            "duplicated": len(self.doubled),
            "error": self.error.as_json() if self.error else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A message as it lies at the server."""

    folder: str
    uidvalidity: int
    uid: int
    fingerprint: str


def compare_account(account_id: int, *, progress: Progress | None = None) -> Comparison:
    """Compares one account, and notes on it how that went; what goes wrong is in the result. No sync runs meanwhile.
    MailAccount.DoesNotExist when the account is gone."""
    account = MailAccount.objects.get(pk=account_id)
    result = Comparison(account=account.address)
    if account.status == AccountStatus.DISCONNECTED:
        result.error = AccountDisconnected(address=account.address)
        return result
    if not account.begun:
        result.error = NotBegun(address=account.address)
        return result
    held = lease.claim(account)
    if held is None:
        result.error = AccountBusy(address=account.address)
        return result
    changes: dict[str, Any] = {"next_sync_at": account.next_sync_at}
    try:
        survey = Survey(account=account, held=held, result=result, progress=progress or _silent)
        survey.run()
        changes |= {
            "compared_at": timezone.now(),
            "compared_missing": result.missing_count,
            "compared_doubled": len(result.doubled),
        }
    except MailAccountsError as error:
        result.error = error
    finally:
        if not lease.release(held, **changes) and result.error is None:
            result.error = LeaseLost(address=account.address)
    return result


@dataclass(slots=True, kw_only=True)
class Survey:
    """Goes through all folders of an account. What is kept of a message doesn't grow with it."""

    account: MailAccount
    held: lease.Lease
    result: Comparison
    progress: Progress
    places: list[Place] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    threads: dict[str, int] = field(default_factory=dict)
    spelled: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        rows = {folder.name: folder for folder in self.account.folders.all()}
        for info, session in self._opened():
            self.result.folders += self._read(info, session, rows.get(info.name))
        self._judge()

    def _opened(self) -> Iterator[tuple[FolderInfo, ImapSession]]:
        """Every folder that is read, in a session that has time left for it."""
        session, todo = login.open_imap(self.account), None
        while True:
            with session:
                begun = time.monotonic()
                if todo is None:
                    todo = folders.to_read(session.folders(), gmail=session.abilities.gmail)
                while todo and time.monotonic() < begun + settings.sync_budget / 2:
                    yield todo.pop(0), session
            if not todo:
                return
            session = login.open_imap(self.account)

    def _read(self, info: FolderInfo, session: ImapSession, folder: Folder | None) -> bool:
        """Reads the headers of what counts in a folder; False when it can't be opened, which a sync gets over too."""
        self._show(f"Comparing {info.name[:30]}")
        try:
            state = session.select(info.name, readonly=True)
        except (FolderMissing, PermissionMissing):
            if folders.is_indispensable(info, gmail=session.abilities.gmail):
                raise
            return False
        # Only of what was there when the folder was first seen does the account's date leave any out.
        history = folder.history_until if folder and folder.uidvalidity == state.uidvalidity else state.uidnext
        uids = session.search(since=self.account.reaches_to)
        if self.account.reaches_to is not None:
            uids = sorted({*uids, *session.search(above=max(history, 1) - 1)})
        if folder is not None:
            unfetchable = quarantine.unfetchable(folder, state.uidvalidity)
            uids = [uid for uid in uids if uid not in unfetchable]
        for position, batch in enumerate(session.headers(uids)):
            self._show(f"Comparing {info.name[:30]}, {position * BATCH} of {len(uids)}")
            self._note(info.name, folder, state.uidvalidity, batch)
        return True

    def _note(self, name: str, folder: Folder | None, uidvalidity: int, batch: Sequence[FetchedHeaders]) -> None:
        letters = []
        for each in batch:
            parse = partial(parse_headers, each.header, size=each.size, internal_date=each.internal_date)
            headers = isolated(parse, folder_id=folder.pk if folder else 0, uid=each.uid)
            if headers is None or is_left_out(each.provided.labels) or not self.account.wants(each.internal_date):
                continue
            self.places.append(
                Place(folder=name, uidvalidity=uidvalidity, uid=each.uid, fingerprint=headers.fingerprint)
            )
            keys = tuple(map(self._once, headers.thread_keys + provider_key(each.provided.thread)))
            letters.append(Letter(uid=len(self.places) - 1, keys=keys, addresses=headers.addresses))
        known = self._whom_the_host_knows(letters)
        self.letters += [
            Letter(uid=each.uid, keys=each.keys, addresses=frozenset(each.addresses & known)) for each in letters
        ]

    def _whom_the_host_knows(self, letters: Sequence[Letter]) -> frozenset[str]:
        """Also of those who take part in the stored threads of ``letters``, which may be at the server no more."""
        keys = conversations.stored_keys(self.account.pk, (key for each in letters for key in each.keys))
        people = conversations.people(keys.values())
        addresses = set().union(*(each.addresses for each in letters), *people.values())
        known = acquaintances.ask(self.account, addresses).known
        self.known |= known
        self.threads |= {
            key: thread for key, thread in keys.items() if not people.get(thread, set()).isdisjoint(known)
        }
        return known

    def _judge(self) -> None:
        wanted = matched(self.letters, known=self.known, stored=self.threads)
        stored = {
            (name, uidvalidity, uid): fingerprint
            for name, uidvalidity, uid, fingerprint in MessageUid.objects.filter(folder__account=self.account)
            .values_list("folder__name", "uidvalidity", "uid", "message__fingerprint")
            .iterator()
        }
        set_aside = set(
            Quarantined.objects.filter(folder__account=self.account).values_list("folder__name", "uidvalidity", "uid")
        )
        gone = forgotten(self.account.pk, {self.places[position].fingerprint for position in wanted})
        for position in sorted(wanted):
            place = self.places[position]
            if place.fingerprint in gone:
                continue
            if (place.folder, place.uidvalidity, place.uid) in set_aside:
                continue  # known not to be had, and shown elsewhere
            self.result.expected += 1
            if stored.get((place.folder, place.uidvalidity, place.uid)) != place.fingerprint:
                self.result.missing.setdefault(place.folder, []).append(place.uid)
        self.result.doubled = doubled.find(self.account, at_server={place.fingerprint for place in self.places})

    def _once(self, text: str) -> str:
        """The same text again instead of another copy: conversations repeat their Message-IDs."""
        return self.spelled.setdefault(text, text)

    def _show(self, stage: str) -> None:
        lease.renew(self.held, stage=stage[:100])
        self.progress(stage)


def _silent(stage: str) -> None:
    """Nobody is watching."""
