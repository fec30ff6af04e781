"""One folder's turn in a sync: new mail, then what changed of stored mail, then a slice of history."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from django.utils import timezone

from mailaccounts.errors import ProtocolFault
from mailaccounts.mail.types import Known
from mailaccounts.rules.sync_plan import Restart, arrivals, history, look, plan, was_misled
from mailaccounts.services.limits import lease
from mailaccounts.services.storing import cursors, moved, places
from mailaccounts.services.syncing import changes, narrow, quarantine
from mailaccounts.services.syncing.bodies import OutOfTime
from mailaccounts.services.syncing.changes import Changes
from mailaccounts.services.syncing.examine import Examination

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from mailaccounts.mail.types import FolderState
    from mailaccounts.models import Folder
    from mailaccounts.rules.sync_plan import History
    from mailaccounts.services.syncing.work import Work

CRITERIA = 20  # in one search
LOOK_BACK = 2000  # messages of a history under way that are read again for the conversations they belong to


@dataclass(slots=True, kw_only=True)
class Visit:
    """Opens the folder, and reads it as far as time allows."""

    work: Work
    folder: Folder

    def read_news(self) -> bool:
        """Opens the folder, examines what is new in it, and brings what is stored up to date; False when the time was
        spent first. Raises FolderMissing and PermissionMissing."""
        cursor = cursors.of(self.folder)
        seen = self._open()
        decision = plan(cursor, seen, since=self.work.account.reaches_to)
        if isinstance(decision, Restart):
            cursors.restart(self.folder, decision.cursor, held=self.work.held)
            self._settle(seen, Changes(), beyond=0)
            return True
        moved.forget_told(self.folder, held=self.work.held)
        new: Sequence[int] = ()
        if decision.above is not None:
            told = arrivals(cursor, seen)
            new = self.work.session.search(above=decision.above) if told is None else told
        if not self._examine(new, moves="last_uid", total=len(new)):
            return False
        if self.folder.last_uid < seen.uidnext - 1:  # the UIDs up to there belong to nothing any more
            self._examination(moves="last_uid").skip(seen.uidnext - 1)
        way = look(cursor, seen, arrived=len(new))
        found = changes.find(self.work.session, self.folder, seen, way) if way else Changes()
        found.departed = moved.departed(self.work.session, self.folder)
        if new:
            found.columns["changed_at"] = timezone.now()
        if was_misled(cursor, seen, arrived=len(new)):
            found.columns |= cursors.history_again(self.folder.history_until)
        self._settle(seen, found, beyond=sum(uid >= seen.uidnext for uid in new))
        return True

    def read_history(self, *, until: float) -> bool:
        """Reads what is new, and goes on with history, the newest first, until the instant ``until`` of
        time.monotonic(); True when nothing is left of it. A batch at least is examined. Raises as ``read_news``."""
        if not self.read_news():
            return False
        while (left := history(cursors.of(self.folder), since=self.work.account.reaches_to)) is not None:
            if not self._go_back(left, until=until):
                return False
        return True

    def _go_back(self, left: History, *, until: float) -> bool:
        """Goes on with one pass through history; False when time ran out before its end."""
        uids = self.work.session.search(below=left.below, since=left.since, before=left.before)
        cursors.go_on(self.folder, left, count=len(uids), held=self.work.held)
        self._recall(left)
        uids.reverse()
        done, total = self.folder.history_done, self.folder.history_total
        if not self._examine(uids, moves="history_below", done=done, total=total, until=until):
            return False
        older = self.work.session.search(below=self.folder.history_until, before=left.since) if left.since else ()
        cursors.end_history(self.folder, left, older=len(older), held=self.work.held)
        return True

    def look_back(self) -> bool:
        """Reads once more what was left alone of the newest messages, unless that was in this sync."""
        if self._is_fresh() and self._open().uidvalidity == self.folder.uidvalidity:
            self._remember(self.work.session.search(since=self.work.account.reaches_to)[-LOOK_BACK:])
        return True

    def look_for(self, criteria: Sequence[bytes], *, up_to: int | None = None) -> bool:
        """Has what was left alone, and one of ``criteria`` holds of, join: those whom the host knows since a change
        ``up_to`` were looked for. False when the server doesn't know them: all headers are to be read again then."""
        told = True
        if self._open().uidvalidity == self.folder.uidvalidity:
            try:
                found = self._left_alone(criteria)
            except ProtocolFault:
                told = False
                cursors.go_through_again(self.work.account.pk, [self.folder.name], held=self.work.held)
                self.folder.refresh_from_db()
            else:
                if found:
                    self.work.joining.setdefault(self.folder.pk, set()).update(found)
        joining = self.work.joining.get(self.folder.pk, set())
        cursors.note_looked_for(self.folder, joining=joining, up_to=up_to, held=self.work.held)
        return told

    def _left_alone(self, criteria: Sequence[bytes]) -> set[int]:
        found: set[int] = set()
        examined = list(self._examined())
        for start in range(0, len(criteria), CRITERIA):
            any_of = criteria[start : start + CRITERIA]
            lease.insist(self.work.held)
            for above, below, since in examined:
                found.update(self.work.session.search(above=above, below=below, since=since, any_of=any_of))
        return found.difference(places.stored_uids(self.folder), quarantine.uids_of(self.folder))

    def _examined(self) -> Iterator[tuple[int, int, date | None]]:
        """The parts of the folder that were examined, as UIDs between two others and since a day. What is still to be
        read of history is judged then."""
        folder, since, below = self.folder, self.work.account.reaches_to, self.folder.last_uid + 1
        if history(cursors.of(folder), since=since) is None:
            yield 0, below, since
            return
        yield folder.history_until - 1, below, since
        if folder.history_below:
            yield folder.history_below - 1, folder.history_until, _later(since, folder.history_to)
        if folder.history_since:  # earlier passes came so far
            yield 0, folder.history_below or folder.history_until, _later(since, folder.history_since)

    def join(self, *, uids: Sequence[int]) -> bool:
        """Stores messages that were left alone, now that their conversation turned out to have a contact; False when
        the time was spent first."""
        if self._open().uidvalidity != self.folder.uidvalidity:
            uids = ()
        there = quarantine.uids_of(self.folder).union(places.stored_uids(self.folder)) if uids else set()
        left = [uid for uid in uids if uid not in there]
        while left:
            batch = left[: narrow.size(self.folder)]
            examination = self._examination(moves="")
            try:
                with narrow.blaming(examination, batch):
                    if not examination.join(batch):
                        return False
            except OutOfTime:
                return False
            narrow.went_well(examination)
            left = left[len(batch) :]
            if left:
                cursors.note_joined(self.folder, left=left, held=self.work.held)
        cursors.note_joined(self.folder, left=(), held=self.work.held)
        return True

    def again(self, *, uids: Sequence[int]) -> bool:
        """Gives messages that were quarantined another chance."""
        if self._open().uidvalidity == self.folder.uidvalidity:
            examination = self._examination(moves="")
            for uid in uids:
                try:
                    with narrow.blaming(examination, [uid]):
                        examination.again([uid])
                except OutOfTime:
                    return False
        return True

    def _open(self) -> FolderState:
        session, folder = self.work.session, self.folder
        known = None
        tells = session.abilities.qresync and not session.abilities.gmail  # of labels it would say nothing
        if tells and folder.uidvalidity and folder.highestmodseq:
            known = Known(uidvalidity=folder.uidvalidity, modseq=folder.highestmodseq)
        seen = session.select(folder.name, readonly=True, known=known)
        if seen.uidnext == 0:  # RFC 9051 wants it, older servers may leave it out
            last = folder.last_uid if folder.uidvalidity == seen.uidvalidity else 0
            seen = replace(seen, uidnext=max(session.search(above=last), default=last) + 1)
        return seen

    def _examine(
        self, uids: Sequence[int], *, moves: str, total: int, done: int = 0, until: float | None = None
    ) -> bool:
        examination = self._examination(moves=moves, done=done, total=total)
        until = self.work.deadline if until is None else until
        position, began, took = 0, time.monotonic(), 0.0
        while position < len(uids):
            if position and began > until:
                return False
            size = narrow.size(self.folder)
            ahead = narrow.ahead(self.folder, self.work, took=took, left=until - began)
            starts = range(position, len(uids), size)[: 1 + ahead]
            batch, *others = (uids[start : start + size] for start in starts)
            try:
                with narrow.blaming(examination, batch):
                    if not examination.examine(batch, ahead=others):
                        return False
            except OutOfTime:
                return False
            narrow.went_well(examination)
            position += len(batch)
            took, began = time.monotonic() - began, time.monotonic()
        return True

    def _examination(self, *, moves: str, done: int = 0, total: int = 0) -> Examination:
        return Examination(work=self.work, folder=self.folder, moves=moves, done=done, total=total)

    def _recall(self, left: History) -> None:
        """Reads again what another sync left alone just before its time was spent: conversations don't end there."""
        if self._is_fresh() and self.folder.history_done:
            uids = self.work.session.search(
                above=left.below - 1, below=self.folder.history_until, since=left.since, before=left.before
            )
            self._remember(uids[:LOOK_BACK])

    def _remember(self, uids: Sequence[int]) -> None:
        known = set(places.stored_uids(self.folder)) | quarantine.uids_of(self.folder)
        left = [uid for uid in uids if uid not in known]
        while left:
            batch = left[: narrow.size(self.folder)]
            lease.insist(self.work.held)
            examination = self._examination(moves="")
            try:
                examination.remember(batch)
            except narrow.BROKEN_OFF:
                self.work.looked_back.discard(self.folder.pk)  # from the beginning, in steps that don't grow meanwhile
                narrow.broke_off(examination, batch)
                raise
            left = left[len(batch) :]

    def _is_fresh(self) -> bool:
        """Whether this sync comes to the history of the folder for the first time; from then on it remembers."""
        fresh = self.folder.pk not in self.work.looked_back
        self.work.looked_back.add(self.folder.pk)
        return fresh

    def _settle(self, seen: FolderState, found: Changes, *, beyond: int) -> None:
        """Notes what the folder looked like, ``beyond`` messages that came after it was opened included."""
        changes.settle(
            self.work,
            self.folder,
            found,
            uidnext=max(seen.uidnext, self.folder.last_uid + 1),
            exists=seen.exists + beyond,
            highestmodseq=seen.highestmodseq,
            synced_at=timezone.now(),
        )


def _later(*days: date | None) -> date | None:
    return max((day for day in days if day is not None), default=None)
