"""Where an account is on its way to another sign-in, and what is behind it, as pages tell of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mailaccounts.conf import settings
from mailaccounts.models import MigrationStep
from mailaccounts.rules.migration_states import MigrationState
from mailaccounts.services.moving import migrate, rollback, steps
from mailaccounts.views import describe

if TYPE_CHECKING:
    from datetime import datetime

    from mailaccounts.models import MailAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where an account is on its way to another sign-in. ``waits`` when it goes on by itself at ``next_at``;
    ``failed`` when its last try came to nothing; ``trouble`` says what was wrong, "" for nothing."""

    waits: bool
    failed: bool
    trouble: str
    code: str
    next_at: datetime | None


def way_of(account: MailAccount) -> Way | None:
    """None for an account that isn't on its way, or that only was invited or chosen."""
    step = steps.under_way(account)
    if step is None or step.state in {MigrationState.CHOSEN, MigrationState.INVITED}:
        return None
    return Way(
        waits=step.state in migrate.BUSY,
        failed=step.state == MigrationState.FAILED,
        trouble=step.message,
        code=step.code,
        next_at=step.next_at,
    )


def switched_context(account: MailAccount) -> dict[str, Any]:
    """What pages show of a switch that is behind an account: its certificate, and whether there is a way back."""
    step = last_switched(account)
    kept = rollback.way_back(account)
    return {
        "way": way_of(account),
        "certificate": step.certificate if step else None,
        "certificate_due": step is not None and step.certificate is None and step.snapshot is not None,
        "way_back": describe.label(kept) if kept else "",
        "retire_days": settings.retire_days,
        "retire_syncs": settings.retire_syncs,
    }


def last_switched(account: MailAccount) -> MigrationStep | None:
    """The last step that led to a switch that stands."""
    found = MigrationStep.objects.filter(account=account, state=MigrationState.SWITCHED)
    return found.order_by("-switched_at").first()
