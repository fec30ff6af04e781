"""Finds the one message at which a server breaks off, by asking for fewer and fewer at a time.

Some end the connection over a message they can't read, and would at every sync: the others would wait for ever.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from mailaccounts.conf import settings
from mailaccounts.errors import BudgetExceeded, ConnectionLost, ConnectionTimedOut, ProtocolFault, ServerBusy
from mailaccounts.models import Folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailaccounts.services.syncing.examine import Examination
    from mailaccounts.services.syncing.work import Work

BROKEN_OFF = (BudgetExceeded, ConnectionLost, ConnectionTimedOut, ProtocolFault, ServerBusy)
STEP = 8  # times fewer after a break, times more after none
AHEAD = 2  # windows: one to work on while the other is on its way
GIVEN_UP = 3  # messages in a row that may be to blame before it must be the server


def size(folder: Folder) -> int:
    """How many messages to ask for at a time."""
    return min(settings.header_batch, folder.narrow or settings.header_batch)


def ahead(folder: Folder, work: Work, *, took: float, left: float) -> int:
    """How many windows to ask for ahead of their turn when the last one ``took`` so many seconds (0 when there was
    none yet) and ``left`` are left: none that time wouldn't do for, and none where it would be hard to tell over which
    the connection ended."""
    return AHEAD if took and (AHEAD + 1) * took < left and not folder.narrow and not work.careful else 0


def went_well(examination: Examination) -> None:
    """Widens again."""
    examination.work.given_up = 0
    folder = examination.folder
    if folder.narrow:
        wider = folder.narrow * STEP
        _write(folder, wider if wider < settings.header_batch else 0)


@contextmanager
def blaming(examination: Examination, uids: Sequence[int]) -> Iterator[None]:
    """For work on ``uids``: should the connection end over it, that is noted before it is raised."""
    try:
        yield
    except BROKEN_OFF:
        broke_off(examination, uids)
        raise


def broke_off(examination: Examination, uids: Sequence[int]) -> None:
    """The connection ended over ``uids``, or over what was asked for ahead: next time fewer, and a single one is set
    aside. Says to ``work`` whether to try once more at once."""
    work = examination.work
    if not work.session.closed:
        return  # it said no, and that is another matter
    work.careful = True
    if len(uids) > 1 or examination.letters.asked:
        _write(examination.folder, max(1, len(uids) // STEP))
        work.try_once_more = True
    elif work.given_up < GIVEN_UP:
        work.given_up += 1
        examination.give_up(uids[0])
        work.try_once_more = True


def _write(folder: Folder, narrow: int) -> None:
    Folder.objects.filter(pk=folder.pk).update(narrow=narrow)
    folder.narrow = narrow
