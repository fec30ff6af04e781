"""What a sync says about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mailaccounts.errors import MailAccountsError

Progress = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class SyncReport:
    """What one sync did. ``finished`` when it got through all there was to read, without an error and in its time."""

    account: str
    status: str
    folders: int = 0
    examined: int = 0
    matched: int = 0
    stored: int = 0
    bodies_fetched: int = 0
    bytes_fetched: int = 0
    round_trips: int = 0
    seconds: float = 0.0
    error: MailAccountsError | None = None
    finished: bool = False

    def add(self, later: SyncReport) -> None:
        """Takes in the report of a sync that went on where this one had stopped."""
        self.status, self.error, self.finished = later.status, later.error, later.finished
        self.folders = max(self.folders, later.folders)
        self.examined += later.examined
        self.matched += later.matched
        self.stored += later.stored
        self.bodies_fetched += later.bodies_fetched
        self.bytes_fetched += later.bytes_fetched
        self.round_trips += later.round_trips
        self.seconds += later.seconds

    @property
    def summary(self) -> str:
        """The figures for a log."""
        return (
            f"{self.folders} folders, {self.examined} examined, {self.matched} matched, {self.stored} stored, "
            f"{self.bodies_fetched} bodies fetched, {self.round_trips} round trips, {self.seconds:.2f} s"
        )

    def as_json(self) -> dict[str, Any]:
        """The shape of ``sync_mailboxes --json``."""
        return {
            "account": self.account,
            "status": str(self.status),
            "folders": self.folders,
            "examined": self.examined,
            "matched": self.matched,
            "stored": self.stored,
            "bodies_fetched": self.bodies_fetched,
            "bytes_fetched": self.bytes_fetched,
            "round_trips": self.round_trips,
            "seconds": round(self.seconds, 3),
            "error": self.error.as_json() if self.error else None,
        }
