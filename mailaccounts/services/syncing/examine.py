"""Examines messages of the open folder: which of them matter, and what those say."""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from django.db import DataError, IntegrityError
from django.utils import timezone

from mailaccounts.models import Fault
from mailaccounts.rules.progress import Pace
from mailaccounts.services.storing.tallying import NONE, Counts
from mailaccounts.services.syncing import quarantine
from mailaccounts.services.syncing.bodies import Bodies, portions
from mailaccounts.services.syncing.judge import judge, leave_forgotten
from mailaccounts.services.syncing.letters import Letters
from mailaccounts.services.syncing.quarantine import Troublesome
from mailaccounts.services.syncing.store import Batch, store_batch, stored_bodies
from mailaccounts.services.telling.announce import announce

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from mailaccounts.models import Folder
    from mailaccounts.services.syncing.bodies import Asked
    from mailaccounts.services.syncing.found import Found
    from mailaccounts.services.syncing.judge import Verdict
    from mailaccounts.services.syncing.work import Work

logger = logging.getLogger(__name__)

REFUSALS = 20  # messages of one folder that may be left out before the fault must be ours
UNSTORABLE = (DataError, IntegrityError, ValueError, OverflowError)  # what a database says to values it can't hold


@dataclass(slots=True, kw_only=True)
class Examination:
    """Examines batches of one folder, new mail or history, and moves its cursor ``moves``, a field of ``Batch``: to
    the last UID of each portion that is stored. It stays where it is when that is "".

    ``done`` of ``total`` messages of the folder were examined so far; ``trouble`` are those that can't be had, of
    which the store was ``told`` so many; ``left_out`` are those that nobody wants, which it was not told of yet.
    """

    work: Work
    folder: Folder
    moves: str
    done: int = 0
    total: int = 0
    refused: int = 0
    told: int = 0
    left_out: int = 0
    newest: datetime | None = None
    pace: Pace = field(init=False)
    trouble: list[Troublesome] = field(default_factory=list)
    bodies: Bodies = field(init=False)
    letters: Letters = field(init=False)

    def __post_init__(self) -> None:
        self.pace = Pace(began=time.monotonic(), first=self.done)
        self.bodies = Bodies(work=self.work, folder_id=self.folder.pk, trouble=self.trouble)
        self.letters = Letters(work=self.work, folder_id=self.folder.pk)

    def examine(self, uids: Sequence[int], *, ahead: Sequence[Sequence[int]] = ()) -> bool:
        """Headers of all, then bodies and rows portion by portion; False when the time was spent first. Of the windows
        ``ahead``, which are to be examined next, the headers are asked for as well."""
        self.work.show(self._stage)
        self.letters.ask(uids, *ahead)
        return self._judge(uids, examined=uids)

    def join(self, uids: Sequence[int]) -> bool:
        """Stores messages that were examined before, now that their conversation turned out to have a contact; those
        of which that isn't true, whatever lies at these UIDs by now, are left alone again. False as above."""
        return self._judge(uids, examined=())

    def _judge(self, uids: Sequence[int], *, examined: Sequence[int]) -> bool:
        letters = self._headers(uids)
        verdict = judge(self.work.account, letters)
        if joining := self._joining(letters, verdict.wanted):
            # Judged like the others: what lies at a UID may be another message by now.
            letters = [*self._headers(joining), *letters]
            verdict.add(judge(self.work.account, letters))
        if self.moves == "" and self.work.seeking:
            self.work.related.update(key for each in letters if each.uid in verdict.wanted for key in each.keys)
        if self.moves == "last_uid":
            here = {each.headers.message_id for each in letters}
            self._note_begun((each for each in letters if not here.issuperset(each.headers.ancestors)), verdict)
        fresh = frozenset(examined)
        counts = Counts(fresh=fresh, joining={each.uid for each in letters} - fresh)
        return self._keep(letters, verdict, uids=examined, counts=counts)

    def again(self, uids: Sequence[int]) -> None:
        """Gives messages that were quarantined another chance; what makes no trouble any more is let go."""
        letters = self._headers(uids)
        verdict = judge(self.work.account, letters)
        self._note_begun(letters, verdict)
        self._keep(letters, verdict, uids=(), counts=Counts(fresh=quarantine.without_row(self.folder, uids)))
        self._store([], at=None, examined=0)
        quarantine.clear(self.folder, set(uids) - {each.uid for each in self.trouble}, held=self.work.held)

    def give_up(self, uid: int) -> None:
        """Sets aside a message over which the connection ended, and goes past it."""
        self.trouble = [each for each in self.trouble if each.uid != uid]
        self.trouble.append(Troublesome(uid=uid, fault=Fault.UNFETCHABLE))
        self.told = 0
        self._store([], at=uid, examined=1 if self.moves else 0)

    def skip(self, uid: int) -> None:
        """Moves the cursor to ``uid``: there is nothing to examine before it."""
        self._store([], at=uid, examined=0)

    def remember(self, uids: Sequence[int]) -> None:
        """Reads once more which conversations the messages left alone belong to: another sync knew them."""
        self._stand_by(self._headers(uids))

    def _keep(self, letters: Sequence[Found], verdict: Verdict, *, uids: Sequence[int], counts: Counts = NONE) -> bool:
        stored = stored_bodies(self.work.account.pk, {each.headers.fingerprint for each in letters})
        leave_forgotten(self.work.account, letters, verdict, stored=stored)
        known, wanted = {fingerprint for fingerprint, has_body in stored.items() if has_body}, verdict.wanted
        for each in letters:
            if each.uid not in wanted and each.headers.fingerprint in stored:
                # Its contact is gone, its row is not: note where it lies now, and ask for nothing.
                wanted.add(each.uid)
                known.add(each.headers.fingerprint)
        self._stand_by([each for each in letters if each.uid not in wanted])
        batch, examined = list(portions(letters, wanted=wanted, known=known)), set(uids)
        asked = self._ask(batch[0], wanted=wanted, known=known)
        self.letters.go_on()
        for portion, upcoming in zip_longest(batch, batch[1:]):
            kept = self.bodies.complete(asked, known=known)
            known.update(each.headers.fingerprint for each in kept if each.content)
            is_over = upcoming is not None and self.work.is_over
            if upcoming is not None and not is_over:  # the server works on these while the database does on those
                asked = self._ask(upcoming, wanted=wanted, known=known)
            new = [each.uid for each in portion if each.uid in examined]
            self.done += len(new)
            at = uids[-1] if uids and upcoming is None else new[-1] if new else None
            skipped = Counter[str](verdict.reasons[each.uid] for each in portion if each.uid in counts.fresh - wanted)
            self.work.report.stored += self._store(kept, at=at, examined=len(new), counts=counts.plus(skipped))
            self.work.report.examined += len(new)
            self.work.report.matched += len(kept)
            announce(self.work.account.pk)
            if is_over:
                return False
        return True

    def _ask(self, portion: Sequence[Found], *, wanted: Collection[int], known: Collection[str]) -> Asked:
        return self.bodies.ask([each for each in portion if each.uid in wanted], known=known)

    def _headers(self, uids: Sequence[int]) -> list[Found]:
        """The messages at ``uids`` that can be read and that somebody wants, in this order."""
        window = self.letters.read(uids)
        self.trouble += window.trouble
        self.left_out += window.left_out
        if window.newest is not None:
            self.newest = max(window.newest, self.newest or window.newest)
        return window.letters

    def _joining(self, letters: Sequence[Found], wanted: set[int]) -> list[int]:
        """The messages of this folder that were left alone before, and belong to the conversations of the ``wanted``.
        Those of other folders are noted; letters of this batch that only these tie to them become wanted."""
        here: list[int] = []
        ask = [each for each in letters if each.uid in wanted]
        while ask:
            taken, met = self.work.bystanders.take(key for each in ask for key in each.keys)
            here += taken.pop(self.folder.pk, [])
            for folder_id, uids in taken.items():
                self.work.joining.setdefault(folder_id, set()).update(uids)
                self.work.elsewhere.add(folder_id)
            others = (each for each in letters if each.uid not in wanted)
            ask = [each for each in others if any(hash(key) in met for key in each.keys)]
            wanted.update(each.uid for each in ask)
        return sorted(set(here) - {each.uid for each in letters})

    def _note_begun(self, letters: Iterable[Found], verdict: Verdict) -> None:
        """Notes those of ``letters`` that are wanted and whose conversation isn't stored: what came before them was
        left alone, by an earlier sync perhaps. All their keys are stored with them, so it is looked for once."""
        for each in letters:
            if each.uid in verdict.wanted and verdict.stored.isdisjoint(each.keys):
                self.work.begun.update(each.keys)

    def _stand_by(self, letters: Sequence[Found]) -> None:
        for each in letters:
            self.work.bystanders.add(self.folder.pk, each.uid, each.keys)

    def _store(self, found: Sequence[Found], *, at: int | None, examined: int, counts: Counts = NONE) -> int:
        """Stores, halving what the database refuses until the one message to blame is alone: that one is kept without
        its body or, if need be, not at all. Raises what the database said when it refuses one after another."""
        cursor = {self.moves: at} if self.moves else {}
        bodies = self.work.report.bodies_fetched
        batch = Batch(
            folder_id=self.folder.pk,
            uidvalidity=self.folder.uidvalidity or 0,
            examined=examined,
            found=found,
            trouble=self.trouble[self.told :],
            joining={key: self.work.joining[key] for key in self.work.elsewhere & self.work.joining.keys()},
            stage=self._stage,
            mail_at=self._mail_at(examined=examined),
            counts=counts.plus({"left_out": self.left_out, "bodies": bodies - self.work.bodies_told}),
            **cursor,
        )
        try:
            stored = store_batch(self.work.held, batch)
        except UNSTORABLE as error:
            if not found or self.refused >= REFUSALS:
                raise
            logger.warning("folder %d: %d message(s) refused: %s", self.folder.pk, len(found), type(error).__name__)
        else:
            self.told += len(batch.trouble)
            self.left_out, self.work.bodies_told = 0, bodies
            self.work.elsewhere.clear()
            if self.moves and at is not None:
                setattr(self.folder, self.moves, at)
            return stored
        if len(found) > 1:
            middle = len(found) // 2
            stored = self._store(found[:middle], at=None, examined=0, counts=counts.without_others())
            return stored + self._store(found[middle:], at=at, examined=examined, counts=counts)
        self.refused += 1
        self.trouble.append(found[0].in_trouble(Fault.UNSTORABLE))
        bare = [replace(found[0], content=None)] if found[0].content else []
        return self._store(bare, at=at, examined=examined, counts=counts)

    def _mail_at(self, *, examined: int) -> datetime | None:
        """When mail last came, if that is news: now, or as far as history tells when the newest of it arrived."""
        if not examined or self.moves == "":
            return None
        now = timezone.now()
        at = now if self.moves == "last_uid" else min(self.newest or now, now)
        before = self.work.account.last_mail_at
        if before is not None and at <= before:
            return None
        self.work.account.last_mail_at = at
        return at

    @property
    def _stage(self) -> str:
        return f"Reading {self.folder.name[:30]}, {self.pace.words(self.done, self.total, now=time.monotonic())}"
