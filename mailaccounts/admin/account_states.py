"""The states of accounts, in words for those who aren't their owners."""

from __future__ import annotations

from mailaccounts.models import AccountStatus
from mailaccounts.services.running.figures import PAUSE

STATES = [
    (AccountStatus.OK.value, "Up to date"),
    (AccountStatus.NEW.value, "Not synced yet"),
    (AccountStatus.WAITING.value, "Waiting for the server"),
    (AccountStatus.NEEDS_OWNER.value, "Needs its owner"),
    (AccountStatus.NEEDS_ADMIN.value, "Needs an administrator"),
    (PAUSE, "Paused"),
    (AccountStatus.DISCONNECTED.value, "Disconnected"),
]
