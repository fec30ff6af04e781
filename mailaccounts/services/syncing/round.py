"""One sync's way through the folders of an account: what is new everywhere, then history; INBOX and Sent first."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from django.utils import timezone

from mailaccounts.errors import FolderMissing, PermissionMissing
from mailaccounts.mail.imap_search import of_conversation, of_provider_thread, with_person
from mailaccounts.mail.types import FolderRole
from mailaccounts.mail.uids import expanded
from mailaccounts.rules.sync_plan import history, is_quiet
from mailaccounts.rules.threads import provider_thread
from mailaccounts.services.limits import lease
from mailaccounts.services.people import directory
from mailaccounts.services.storing import cursors, folders, renames
from mailaccounts.services.syncing import quarantine
from mailaccounts.services.syncing.visit import LOOK_BACK, Visit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailaccounts.mail.types import FolderInfo, FolderStatus
    from mailaccounts.services.storing.folders import Row
    from mailaccounts.services.syncing.work import Work

LOOKED_BACK = frozenset({FolderRole.INBOX, FolderRole.SENT, FolderRole.ALL})
MOST_PEOPLE, MOST_KEYS = 100, 500  # that searches look for; more would take longer than to read all headers
SLICE_SECONDS = 15.0  # of history, before a look at what has arrived meanwhile

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Round:
    """``infos`` are the folders to read, in their order, as the server listed them last; ``rows`` ours by name.
    When it turns out that headers are to be read ``again``, the next sync does."""

    work: Work
    infos: list[FolderInfo] = field(default_factory=list)
    rows: dict[str, Row] = field(default_factory=dict)
    again: bool = False

    def run(self) -> bool:
        """Reads until nothing is left; False when the time was spent first."""
        self._list(again=False)
        finished = self._look_for_the_known()
        finished = self._read_news() and self._read_history() and finished
        finished = self._join() and finished
        if finished:
            self._try_again()
            finished = self._join()
        if finished:
            self._leave_labels()
        return finished and not self.again

    def _list(self, *, again: bool) -> None:
        """Asks for the folders and, in the same round trip where that can be, for the state of each."""
        session = self.work.session
        lease.insist(self.work.held)  # signing in may have taken long
        infos = session.folders(status=True)
        if not session.abilities.list_status:
            statuses = session.statuses([info.name for info in self._to_read(infos)])
            infos = [_with_status(info, statuses.get(info.name)) for info in infos]
        rows = folders.rows_of(self.work.account)
        if renames.follow(rows, infos, session=session, held=self.work.held):
            rows = folders.rows_of(self.work.account)
        self.rows = folders.remember(self.work.account, infos, rows=rows, give_up=not again, held=self.work.held)
        self.infos = self._to_read(infos)
        for row in self.rows.values():
            if row.joining:  # left over from a sync that was cut off
                self.work.seeking = self.work.seeking or not again
                self.work.joining.setdefault(row.pk, set()).update(expanded(row.joining))

    def _to_read(self, infos: Sequence[FolderInfo]) -> list[FolderInfo]:
        return folders.to_read(infos, gmail=self.work.session.abilities.gmail)

    def _read_news(self) -> bool:
        """Reads what is new in every folder that was read before and has changed since."""
        todo = [info for info in self.infos if self.rows[info.name].put_off] or self.infos
        begun = False
        for position, info in enumerate(todo):
            row = self.rows[info.name]
            self.work.report.folders = max(self.work.report.folders, position + 1)
            if row.uidvalidity is None or (not row.departing and self._is_quiet(info)):
                cursors.note_turn(row)
                continue
            if begun and self.work.is_over:  # looking at a folder takes time even if nothing is new
                cursors.put_off(self.rows[later.name] for later in todo[position:])
                return False
            begun = True
            if not self._visit(info, Visit.read_news):
                return False
            cursors.note_turn(row)
        return True

    def _read_history(self) -> bool:
        """Reads history slice by slice; what arrives meanwhile is read before the next slice."""
        behind = self._behind()
        if behind:
            self._look_back()
        while behind:
            until = min(self.work.deadline, time.monotonic() + SLICE_SECONDS)
            if self._visit(behind[0], partial(Visit.read_history, until=until)):
                behind.pop(0)
            if not self._join() or (behind and self.work.is_over):
                return False
            if behind and time.monotonic() > until:
                self._list(again=True)
                if not self._read_news():
                    return False
                behind = self._behind()
        return True

    def _look_back(self) -> None:
        """Knows again what earlier syncs left alone in INBOX and among mail sent, or at Gmail all mail: the
        conversations may have their contact in what is left of history, or in what has arrived."""
        for info in self.infos:
            row = self.rows[info.name]
            if info.role in LOOKED_BACK and row.examined and not self._is_behind(info):
                self._visit(info, Visit.look_back)

    def _look_for_the_known(self) -> bool:
        """Looks in what was left alone for those who became known since; of too many, all headers are read again.
        False when the time was spent first."""
        changes = directory.pending(self.work.account) if self.work.changes_due else []
        if not changes:
            return True
        people, up_to = {each for change in changes for each in change.patterns}, changes[-1].pk
        if len(people) > MOST_PEOPLE:
            self._go_through_again()
        else:
            criteria = [each for person in sorted(people) for each in with_person(person)]
            for info in self.infos:
                row = self.rows[info.name]
                if row.uidvalidity is not None and row.looked_for < up_to:
                    told = self._visit(info, partial(Visit.look_for, criteria=criteria, up_to=up_to))
                    self.work.seeking = told or self.work.seeking
                    if self.work.is_over:
                        return False
        lease.renew(self.work.held, looked_for=up_to)
        return True

    def _find_related(self) -> None:
        """Has what was left alone of the conversations join that a search led to, wherever it lies."""
        keys = self.work.related - self.work.sought
        self.work.sought |= keys
        if len(keys) > MOST_KEYS:
            self._go_through_again()
            self.again = True
        elif criteria := [each for key in sorted(keys) for each in self._ties(key)]:
            for info in self.infos:
                if self.rows[info.name].uidvalidity is not None:
                    self.again = not self._visit(info, partial(Visit.look_for, criteria=criteria)) or self.again

    def _ties(self, key: str) -> list[bytes]:
        if name := provider_thread(key):
            return of_provider_thread(name, self.work.session.abilities)
        return of_conversation(key)

    def _go_through_again(self) -> None:
        cursors.go_through_again(self.work.account.pk, list(self.rows), held=self.work.held)
        self.rows = folders.rows_of(self.work.account)

    def _find_beginnings(self) -> None:
        """Has what earlier syncs left alone of conversations that have a contact since join."""
        if self.work.begun:
            self._look_back()
            if self._lies_deeper():
                self.work.related |= self.work.begun
                self.work.seeking = True
            taken, _ = self.work.bystanders.take(self.work.begun)
            self.work.begun.clear()
            rows = {row.pk: row for row in self.rows.values()}
            for folder_id, uids in taken.items():
                joining = self.work.joining.setdefault(folder_id, set())
                joining.update(uids)
                cursors.note_joined(rows[folder_id], left=joining, held=self.work.held)

    def _lies_deeper(self) -> bool:
        """Whether there is mail that looking back doesn't reach."""
        rows = [(info.role in LOOKED_BACK, self.rows[info.name].examined) for info in self.infos]
        return any(examined and not (looked_back and examined <= LOOK_BACK) for looked_back, examined in rows)

    def _join(self) -> bool:
        """Stores what was left alone in folders read before, and belongs to conversations with contacts after all;
        False when the time was spent first."""
        infos = {self.rows[info.name].pk: info for info in self.infos}
        joined = True
        while self._is_to_join():
            folder_id, uids = next(iter(self.work.joining.items()))
            if folder_id in infos:  # and these may lead to more
                joined = self._visit(infos[folder_id], partial(Visit.join, uids=sorted(uids))) and joined
            del self.work.joining[folder_id]
        return joined

    def _is_to_join(self) -> bool:
        self._find_beginnings()
        if not self.work.joining:
            self._find_related()
        return bool(self.work.joining)

    def _try_again(self) -> None:
        """Asks once more for the messages that made trouble, those whose time has come."""
        due = quarantine.due_of(self.work.account) if self.work.quarantine_due else {}
        for info in self.infos if due else ():
            uids = due.get(self.rows[info.name].pk)
            if uids and not self.work.is_over:
                self._visit(info, partial(Visit.again, uids=uids))

    def _leave_labels(self) -> None:
        """At Gmail all mail may have been hidden from IMAP before, or be shown no more: what was read then lies now in
        what is read instead."""
        if self.work.session.abilities.gmail:
            read = {info.name for info in self.infos}
            others = (row for name, row in self.rows.items() if name not in read and row.missing_since is None)
            folders.give_up(others, since=self.work.account.reaches_to, held=self.work.held)

    def _visit(self, info: FolderInfo, act: Callable[[Visit], bool]) -> bool:
        """Does ``act`` in the folder; one that can't be opened doesn't stop the others."""
        row = self.rows[info.name]
        self.work.show(f"Reading {info.name[:30]}")
        try:
            return act(Visit(work=self.work, folder=row))
        except FolderMissing:
            folders.note_missing(row)
        except PermissionMissing:
            if folders.is_indispensable(info, gmail=self.work.session.abilities.gmail):
                raise
            logger.info("account %d: folder %d may not be opened", self.work.account.pk, row.pk)
        return True

    def _is_quiet(self, info: FolderInfo) -> bool:
        row = self.rows[info.name]
        compared = timezone.now() - row.flags_at if row.flags_at else None
        return is_quiet(cursors.of(row), info.status, inbox=info.role is FolderRole.INBOX, compared=compared)

    def _behind(self) -> list[FolderInfo]:
        """The folders whose history is not read yet; one that is empty has none."""
        for info in self.infos:
            row = self.rows[info.name]
            if row.uidvalidity is None and info.status is not None and not info.status.exists:
                cursors.begin_empty(row, info.status, since=self.work.account.reaches_to, held=self.work.held)
        return [info for info in self.infos if self._is_behind(info)]

    def _is_behind(self, info: FolderInfo) -> bool:
        row = self.rows[info.name]
        return row.uidvalidity is None or history(cursors.of(row), since=self.work.account.reaches_to) is not None


def _with_status(info: FolderInfo, status: FolderStatus | None) -> FolderInfo:
    return replace(info, status=status, mailbox_id=info.mailbox_id or status.mailbox_id) if status else info
