"""What one sync of an account has at hand."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailaccounts.queue import is_stopping
from mailaccounts.services.limits import lease
from mailaccounts.services.syncing.bystanders import Bystanders

if TYPE_CHECKING:
    from mailaccounts.mail.imap import ImapSession
    from mailaccounts.models import MailAccount
    from mailaccounts.services.limits.lease import Lease
    from mailaccounts.services.syncing.report import Progress, SyncReport


@dataclass(slots=True, kw_only=True)
class Work:
    """Counts into ``report`` and ends at ``deadline`` (of time.monotonic).

    ``joining`` are messages of other folders than the open one that belong to a conversation with a contact after all:
    UIDs by folder; of those in the folders ``elsewhere`` the store was not told yet. ``begun`` are the keys of
    conversations whose beginning an earlier sync may have left alone. ``seeking`` once mail of the past was searched:
    ``related`` are the keys of conversations that this led to, those ``sought`` were searched for as well.
    ``looked_back`` are the folders whose history this sync has gone on with. ``given_up`` messages in a row ended the
    connection; ``try_once_more`` when the next attempt is at something else. ``careful`` once a connection has ended
    over what was asked for: nothing is asked ahead of its turn any more. Of the bodies read, ``bodies_told`` are in
    the account's tally. ``quarantine_due`` unless no message that made trouble is to be tried again yet,
    ``changes_due`` unless nobody has become known since mail of the past was last looked through.
    """

    account: MailAccount
    held: Lease
    session: ImapSession
    report: SyncReport
    progress: Progress
    deadline: float
    quarantine_due: bool = True
    changes_due: bool = True
    bystanders: Bystanders = field(default_factory=Bystanders)
    joining: dict[int, set[int]] = field(default_factory=dict)
    elsewhere: set[int] = field(default_factory=set)
    begun: set[str] = field(default_factory=set)
    seeking: bool = False
    related: set[str] = field(default_factory=set)
    sought: set[str] = field(default_factory=set)
    looked_back: set[int] = field(default_factory=set)
    given_up: int = 0
    try_once_more: bool = False
    careful: bool = False
    bodies_told: int = 0

    @property
    def is_over(self) -> bool:
        """Whether the time has been spent, or the worker is to stop: another goes on."""
        return time.monotonic() > self.deadline or is_stopping()

    def show(self, stage: str) -> None:
        """Says what is going on, and keeps the lease."""
        lease.renew(self.held, stage=stage[:100])
        self.progress(stage)
