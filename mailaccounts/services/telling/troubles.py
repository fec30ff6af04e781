"""Faults of the machinery that work has met: a database that broke off, a disk that is full.

A database that can't be written can't hold them, so that they are known through the shared cache and, where that is of
one process, to that process; a full disk is told to the ADMINS at once.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from mailaccounts.services.limits import shared
from mailaccounts.services.telling.operators import tell

if TYPE_CHECKING:
    from datetime import datetime

DISK, DATABASE = "disk", "database"
REMEMBERED = 300  # seconds
ONCE_IN = 3600  # seconds that the ADMINS are told of a full disk without a look at the database
NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
BUSY = {"SQLITE_BUSY", "SQLITE_LOCKED"}
OUTAGES = ("08", "53", "57P", "58")  # classes of SQLSTATE; a deadlock, say, is none
DISK_FULL = "53100"  # PostgreSQL's SQLSTATE disk_full


def note(error: BaseException) -> None:
    """Remembers what work has met, if it is a fault of that kind."""
    kind = kind_of(error)
    if kind:
        shared.put(f"mailaccounts:trouble:{kind}", timezone.now(), REMEMBERED)
    if kind == DISK and shared.add("mailaccounts:trouble:told", 1, ONCE_IN):
        tell("A disk is full", "Work was broken off: there is no room on the database's machine, or on a worker's.")


def met_at(kind: str) -> datetime | None:
    """When that was met, if it was within the last minutes."""
    found: datetime | None = shared.get(f"mailaccounts:trouble:{kind}")
    return found


def kind_of(error: BaseException) -> str:
    """Which fault of the machinery an error is; "" for any other."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in NO_ROOM:
            return DISK
        state, name = getattr(cause, "sqlstate", None), getattr(cause, "sqlite_errorname", "")
        # psycopg has the state of the error in a field; SQLite tells in words of its own, which no server has written.
        if state == DISK_FULL or name == "SQLITE_FULL":
            return DISK
        if name in BUSY or (state and not state.startswith(OUTAGES)):
            return ""
        cause = cause.__cause__ or cause.__context__
    return DATABASE if isinstance(error, (OperationalError, InterfaceError)) else ""
