"""Campaigns: an administrator chooses accounts, moves a pilot group, then the rest; pauses, tries again, goes back.

What takes time or the network is only marked here, in one UPDATE, and done by workers (campaign_work).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from mailaccounts.errors import NobodyMoves
from mailaccounts.models import CredentialState, MailAccount, MigrationRun, MigrationStep
from mailaccounts.queue import Job, enqueue
from mailaccounts.rules.migration_states import UNDER_WAY, MigrationState
from mailaccounts.services.campaigns.readiness import Way
from mailaccounts.services.connecting.detect import provider_of
from mailaccounts.services.consents.consent import backend_slug
from mailaccounts.services.moving import steps

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mailaccounts.models import OAuthClient
    from mailaccounts.services.campaigns.readiness import Readiness

WAY_BACK = "way_back"  # code of a step that shall be rolled back
AT_A_TIME = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What accounts are chosen by; each part that isn't empty narrows it down. ``provider`` is the slug of a preset or
    of an OAuth provider, ``backend`` that of the sign-in in use."""

    provider: str = ""
    domain: str = ""
    backend: str = ""
    addresses: tuple[str, ...] = ()

    def accounts(self) -> list[MailAccount]:
        """The accounts it chooses, whoever owns them."""
        found = MailAccount.objects.select_related("owner").order_by("address", "pk")
        if self.domain:
            found = found.filter(address__iendswith=f"@{self.domain.strip().removeprefix('@')}")
        if self.backend:
            found = found.filter(credentials__state=CredentialState.ACTIVE, credentials__backend=self.backend)
        named = {address.lower() for address in self.addresses}
        return [
            account
            for account in found
            if (not named or account.address.lower() in named) and (not self.provider or self._is_with(account))
        ]

    def unknown(self, found: Sequence[MailAccount]) -> list[str]:
        """The addresses that were named and are no account's."""
        known = {account.address.lower() for account in found}
        return [address for address in dict.fromkeys(self.addresses) if address.lower() not in known]

    def _is_with(self, account: MailAccount) -> bool:
        preset = provider_of(account)
        return preset is not None and self.provider in (preset.slug, preset.provider)


def create(
    found: Sequence[Readiness],
    *,
    name: str,
    to: str,
    client: OAuthClient,
    user: Any = None,
    pilot: Collection[int] = (),
    random_pilots: int = 0,
) -> MigrationRun:
    """A campaign with a step for each account that can move. Nothing starts yet.

    ``pilot`` are the accounts that go first, with ``random_pilots`` others. Accounts that begin to move another way
    this very moment are left out, and steps that failed elsewhere are given up for it. NobodyMoves.
    """
    movers = [each for each in found if each.way is not Way.CANNOT]
    if not movers:
        raise NobodyMoves
    first = set(pilot) | set(
        _some([each.account.pk for each in movers if each.account.pk not in pilot], random_pilots)
    )
    deadline = min((each.ends for each in movers if each.ends), default=None)
    with transaction.atomic():
        failed = MigrationStep.objects.filter(
            account__in=[each.account for each in movers], state=MigrationState.FAILED
        )
        for step in failed:
            steps.cancel(step)
        run = MigrationRun.objects.create(
            name=name, to=to, client=client, tenant=movers[0].tenant, created_by=user, deadline=deadline
        )
        rows = [
            MigrationStep(
                run=run,
                account=each.account,
                address=each.account.address,
                before=each.before,
                pilot=each.account.pk in first,
            )
            for each in movers
        ]
        MigrationStep.objects.bulk_create(rows, batch_size=AT_A_TIME, ignore_conflicts=True)
        if not run.steps.exists():
            raise NobodyMoves
    return run


def start(run: MigrationRun, *, pilot_only: bool) -> int:
    """Has workers begin with the pilot group, or with everybody who hasn't begun; returns how many that are."""
    waiting = run.steps.filter(state=MigrationState.CHOSEN, next_at=None)
    if pilot_only:
        waiting = waiting.filter(pilot=True)
    started = waiting.update(next_at=timezone.now())
    enqueue(Job.CAMPAIGNS)
    return started


def pause(run: MigrationRun) -> bool:
    """No account of it begins or goes on by itself from now on, and nobody is reminded."""
    return bool(MigrationRun.objects.filter(pk=run.pk, paused_at=None).update(paused_at=timezone.now()))


def go_on(run: MigrationRun) -> bool:
    """Ends a pause."""
    paused = MigrationRun.objects.filter(pk=run.pk, paused_at__isnull=False)
    enqueue(Job.CAMPAIGNS)
    return bool(paused.update(paused_at=None))


def retry(run: MigrationRun) -> int:
    """Begins anew with what failed and with invitations that nobody followed in time; how many."""
    now = timezone.now()
    again: dict[str, Any] = {**steps.NO_TROUBLE, "next_at": now, "attempts": 0}
    failed = steps.advance_all(run, MigrationState.FAILED, MigrationState.CHOSEN, **again)
    over = Q(invited_until__lte=now)
    expired = steps.advance_all(run, MigrationState.INVITED, MigrationState.CHOSEN, only=over, **again)
    enqueue(Job.CAMPAIGNS)
    return failed + expired


def ask_owners(run: MigrationRun) -> int:
    """Invites the owners of those accounts that couldn't be moved without them; how many."""
    asked = steps.advance_all(
        run,
        MigrationState.FAILED,
        MigrationState.CHOSEN,
        only=Q(account__isnull=False),
        next_at=timezone.now(),
        **steps.NO_TROUBLE,
        attempts=0,
        after=backend_slug() or "",
    )
    enqueue(Job.CAMPAIGNS)
    return asked


def cancel(run: MigrationRun) -> int:
    """Gives up every account that hasn't moved yet; those that have stay as they are. Returns how many."""
    ended: dict[str, Any] = {**steps.NO_TROUBLE, "next_at": None}
    idle = (MigrationState.CHOSEN, MigrationState.INVITED, MigrationState.FAILED)
    with transaction.atomic():
        given_up = sum(steps.advance_all(run, state, MigrationState.CANCELLED, **ended) for state in idle)
    for step in run.steps.filter(state__in=UNDER_WAY).select_related("account"):
        given_up += steps.cancel(step)
    return given_up


def roll_back(run: MigrationRun, *, actor: Any, pilot_only: bool = False) -> int:
    """Has workers take every account that moved back to how it signed in before, as long as that is kept; how many."""
    moved = run.steps.filter(state=MigrationState.SWITCHED, account__isnull=False)
    if pilot_only:
        moved = moved.filter(pilot=True)
    marked = moved.update(code=WAY_BACK, message="", next_at=timezone.now(), attempts=0, taken_back_by=actor)
    enqueue(Job.CAMPAIGNS)
    return marked


def _some(ids: list[int], number: int) -> list[int]:
    return secrets.SystemRandom().sample(ids, min(max(number, 0), len(ids)))
