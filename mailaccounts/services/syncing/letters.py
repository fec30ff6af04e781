"""The headers of a folder's messages, window by window. Those of the windows to come are asked for ahead of their turn
and read whenever the server is waited for anyway."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from mailaccounts.mail.headers import parse_headers
from mailaccounts.models import Fault
from mailaccounts.rules.labels import is_left_out
from mailaccounts.services.syncing.bodies import isolated
from mailaccounts.services.syncing.found import Found
from mailaccounts.services.syncing.quarantine import Troublesome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from mailaccounts.mail.types import FetchedHeaders
    from mailaccounts.services.syncing.work import Work


@dataclass(slots=True, kw_only=True)
class Window:
    """Messages that are looked at together. ``letters`` are those that can be read and that somebody wants, in the
    order of ``uids``, ``trouble`` those that can't be had, ``left_out`` so many that nobody wants; ``newest`` is when
    the newest of all arrived. ``batches`` are what is still on its way."""

    uids: Sequence[int]
    batches: Iterator[list[FetchedHeaders]] = field(repr=False)
    letters: list[Found] = field(default_factory=list)
    trouble: list[Troublesome] = field(default_factory=list)
    left_out: int = 0
    newest: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Letters:
    """Reads from the open folder. ``asked`` are the windows whose turn will come, in their order."""

    work: Work
    folder_id: int
    asked: deque[Window] = field(default_factory=deque)

    def ask(self, *windows: Sequence[int]) -> None:
        """Asks for those of ``windows``, the next ones, that were not asked for yet, and waits for nothing."""
        self.asked.extend(self._window(uids) for uids in windows[len(self.asked) :])

    def read(self, uids: Sequence[int]) -> Window:
        """The next window if that was asked for, any other messages else."""
        if self.asked and self.asked[0].uids == uids:
            window = self.asked.popleft()
        else:
            window = self._window(uids)
            self.go_on()
        while self._read_batch(window):
            pass
        refused = self.work.session.unreadable.intersection(uids)
        window.trouble += [Troublesome(uid=uid, fault=Fault.UNFETCHABLE) for uid in refused]
        return window

    def go_on(self) -> None:
        """Reads a batch of the windows to come, if one was asked for: there is time until something else arrives."""
        any(self._read_batch(window) for window in self.asked)

    def _window(self, uids: Sequence[int]) -> Window:
        return Window(uids=uids, batches=self.work.session.headers(uids))

    def _read_batch(self, window: Window) -> bool:
        """False when nothing was left of the window."""
        batch = next(window.batches, None)
        for each in batch or ():
            window.newest = max(each.internal_date, window.newest or each.internal_date)
            if is_left_out(each.provided.labels) or not self.work.account.wants(each.internal_date):
                window.left_out += 1
            else:
                self._read(each, window)
        return batch is not None

    def _read(self, each: FetchedHeaders, window: Window) -> None:
        parse = partial(parse_headers, each.header, size=each.size, internal_date=each.internal_date)
        headers = isolated(parse, folder_id=self.folder_id, uid=each.uid)
        if headers is None:
            window.trouble.append(
                Troublesome(uid=each.uid, fault=Fault.UNREADABLE, size=each.size, received_at=each.internal_date)
            )
        else:
            window.letters.append(
                Found(
                    uid=each.uid,
                    size=each.size,
                    received_at=each.internal_date,
                    headers=headers,
                    flags=each.flags,
                    provided=each.provided,
                )
            )
