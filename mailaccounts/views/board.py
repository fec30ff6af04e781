"""Campaigns as their pages tell of them: counts, each account's step in words, and when all will be done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.core.paginator import Paginator
from django.db.models import Count, Max, Min, Q
from django.utils import timezone

from mailaccounts.models import MigrationRun, MigrationStep
from mailaccounts.rules.migration_states import UNDER_WAY, MigrationState
from mailaccounts.rules.projection import finish
from mailaccounts.services.campaigns.campaign import WAY_BACK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from django.core.paginator import Page
    from django.db.models import QuerySet

PER_PAGE = 50
WORDS = {
    MigrationState.CHOSEN: "Waiting for its turn",
    MigrationState.INVITED: "Owner invited",
    MigrationState.CONSENTED: "Being proven",
    MigrationState.VERIFIED: "Proven",
    MigrationState.SWITCHED: "Moved",
    MigrationState.FAILED: "Failed",
    MigrationState.ROLLED_BACK: "Rolled back",
    MigrationState.CANCELLED: "Cancelled",
}
COLOURS = {
    MigrationState.CHOSEN: "blue",
    MigrationState.INVITED: "blue",
    MigrationState.CONSENTED: "yellow",
    MigrationState.VERIFIED: "yellow",
    MigrationState.SWITCHED: "green",
    MigrationState.FAILED: "red",
    MigrationState.ROLLED_BACK: "yellow",
    MigrationState.CANCELLED: "yellow",
}
AT_WORK = (MigrationState.CONSENTED, MigrationState.VERIFIED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One account. ``note`` says more of its step, ``trouble`` what is wrong in words; "" for neither."""

    address: str
    owner: str
    pilot: bool
    state: str
    words: str
    colour: str
    since: datetime
    note: str
    trouble: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StateCount:
    """How many accounts are in a state."""

    state: str
    words: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """``unstarted``, ``pilots_unstarted`` and so on are what the buttons would act on."""

    run: MigrationRun
    counts: list[StateCount]
    total: int
    moved: int
    unstarted: int
    pilots: int
    pilots_unstarted: int
    pilots_moved: int
    failed: int
    expired: int
    going_back: int
    left: int
    finish: datetime | None
    late: bool
    every: int

    @property
    def to_retry(self) -> int:
        return self.failed + self.expired


def overview() -> QuerySet[MigrationRun]:
    """Every campaign, newest first, with how far it is."""
    return (
        MigrationRun.objects.filter(by_owner=False)
        .select_related("client", "created_by")
        .annotate(
            total=Count("steps"),
            moved=Count("steps", filter=Q(steps__state=MigrationState.SWITCHED)),
            failed=Count("steps", filter=Q(steps__state=MigrationState.FAILED)),
        )
        .order_by("-created_at")
    )


def of(run: MigrationRun) -> Board:
    """How ``run`` is doing. One query, however many accounts it has."""
    now = timezone.now()
    unstarted = Q(state=MigrationState.CHOSEN, next_at=None)
    back = Q(state=MigrationState.SWITCHED, code=WAY_BACK)
    by_state = {state.value: Count("pk", filter=Q(state=state)) for state in MigrationState}
    found = run.steps.aggregate(
        **by_state,
        unstarted=Count("pk", filter=unstarted),
        pilots=Count("pk", filter=Q(pilot=True)),
        pilots_unstarted=Count("pk", filter=unstarted & Q(pilot=True)),
        pilots_moved=Count("pk", filter=Q(pilot=True, state=MigrationState.SWITCHED)),
        expired=Count("pk", filter=Q(state=MigrationState.INVITED, invited_until__lte=now)),
        going_back=Count("pk", filter=back),
        first_invited=Min("invited_at"),
        first_consented=Min("consented_at"),
        last_moved=Max("switched_at"),
    )
    moved = found[MigrationState.SWITCHED]
    left = sum(found[state] for state in UNDER_WAY if state != MigrationState.FAILED)
    since = min((at for at in (found["first_invited"], found["first_consented"]) if at), default=None)
    done_at = finish(moved=moved, left=left, since=since, now=now)
    at_work = found["going_back"] or sum(found[state] for state in AT_WORK)
    begun = found[MigrationState.CHOSEN] - found["unstarted"]
    waiting = found[MigrationState.INVITED]
    return Board(
        run=run,
        counts=[
            StateCount(state=state, words=WORDS[state], number=found[state])
            for state in MigrationState
            if found[state]
        ],
        total=sum(found[state] for state in MigrationState),
        moved=moved,
        left=left,
        finish=done_at,
        late=bool(run.deadline and done_at and done_at.date() > run.deadline),
        every=2 if at_work or (begun and not run.paused_at) else 15 if waiting else 0,
        failed=found[MigrationState.FAILED],
        **{
            name: found[name]
            for name in ("unstarted", "pilots", "pilots_unstarted", "pilots_moved", "expired", "going_back")
        },
    )


def page_of(run: MigrationRun, *, state: str, number: str) -> Page[MigrationStep]:
    """A page of the campaign's steps, pilots first; only those in ``state`` if that is one."""
    found = _light(run).order_by("-pilot", "address", "pk")
    if state in list(MigrationState):
        found = found.filter(state=state)
    return Paginator(found, PER_PAGE).get_page(number)


def _light(run: MigrationRun) -> QuerySet[MigrationStep]:
    """The campaign's steps without what is large in them, and is their owners' to see."""
    return run.steps.select_related("account__owner").defer("wish", "snapshot", "certificate")


def rows(found: Iterable[MigrationStep]) -> list[Row]:
    """The steps in words. Asks the database for nothing."""
    return [_row(step) for step in found]


def _row(step: MigrationStep) -> Row:
    state = MigrationState(step.state)
    return Row(
        address=step.address,
        owner=step.account.owner.get_username() if step.account else "",
        pilot=step.pilot,
        state=state,
        words=_words(step, state),
        colour=COLOURS[state],
        since=step.changed_at,
        note=_note(step, state),
        trouble=step.message,
    )


def _words(step: MigrationStep, state: MigrationState) -> str:
    if state == MigrationState.SWITCHED and step.code == WAY_BACK:
        return "Going back"
    if state == MigrationState.CHOSEN and step.next_at:
        return "To be tried again" if step.code else "Starting"
    return WORDS[state]


def _note(step: MigrationStep, state: MigrationState) -> str:
    """More of an invitation."""
    if state != MigrationState.INVITED or step.invited_until is None:
        return ""
    if step.invited_until <= timezone.now():
        return "The invitation has expired."
    return {0: "", 1: "Reminded once."}.get(step.reminders, f"Reminded {step.reminders} times.")


def exported(run: MigrationRun) -> Iterable[Mapping[str, str]]:
    """Every step of the campaign as a line of a table."""
    for step in _light(run).order_by("address", "pk").iterator(chunk_size=500):
        row = _row(step)
        yield {
            "address": row.address,
            "owner": row.owner,
            "pilot": "yes" if row.pilot else "no",
            "state": row.state,
            "before": step.before,
            "after": step.after,
            "since": row.since.isoformat(timespec="seconds"),
            "invited": _moment(step.invited_at),
            "reminders": str(step.reminders),
            "moved": _moment(step.switched_at),
            "code": step.code,
            "words": " ".join(filter(None, (row.words, row.note, row.trouble))),
        }


def _moment(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds") if at else ""
