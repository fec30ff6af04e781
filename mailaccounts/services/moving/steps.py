"""An account's steps to another sign-in. Their state changes here and nowhere else, from the one it was read in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from mailaccounts.errors import AlreadyMoving
from mailaccounts.models import CredentialState, MailAccount, MigrationRun, MigrationStep
from mailaccounts.rules.migration_states import UNDER_WAY, MigrationState, may_follow
from mailaccounts.services.signing_in.credentials import destroy, in_use

if TYPE_CHECKING:
    from django.db.models import OuterRef, QuerySet

    from mailaccounts.errors import MailAccountsError
    from mailaccounts.models import OAuthClient


NO_TROUBLE = {"code": "", "message": ""}


def trouble(error: MailAccountsError) -> dict[str, str]:
    """What is wrong, as a step's columns."""
    return {"code": error.code, "message": error.message}


def begin(account: MailAccount, run: MigrationRun, *, pilot: bool = False) -> MigrationStep:
    """A first step of ``run`` for the account; AlreadyMoving when it is on its way already."""
    current = in_use(account)
    try:
        with transaction.atomic():
            return MigrationStep.objects.create(
                run=run,
                account=account,
                address=account.address,
                pilot=pilot,
                before=current.backend if current else "",
            )
    except IntegrityError:
        raise AlreadyMoving(address=account.address) from None


def for_owner(account: MailAccount, *, client: OAuthClient, to: str, user: Any) -> MigrationStep:
    """The step that the account is at, whoever began it, or else the first of a migration of its owner's."""
    step = under_way(account)
    if step is not None:
        return step
    try:
        with transaction.atomic():
            run = MigrationRun.objects.create(to=to, client=client, by_owner=True, created_by=user)
            return begin(account, run)
    except AlreadyMoving:  # another browser was faster
        step = under_way(account)
        if step is None:
            raise
        return step


def under_way(account: MailAccount | int) -> MigrationStep | None:
    """Where the account is on its way to another sign-in; None when it is on none."""
    found = MigrationStep.objects.filter(account=account, state__in=UNDER_WAY)
    return found.select_related("account", "run").first()


def latest(account: MailAccount) -> MigrationStep | None:
    """The account's newest step, ended or not."""
    found = MigrationStep.objects.filter(account=account).select_related("account", "run")
    return found.order_by("-created_at").first()


def certificate_due(account_id: int | OuterRef) -> QuerySet[MigrationStep]:
    """The account's step, as a query, that has switched and wasn't compared with what was there before yet."""
    return MigrationStep.objects.filter(
        account=account_id, state=MigrationState.SWITCHED, certificate__isnull=True, snapshot__isnull=False
    )


def advance(step: MigrationStep, to: MigrationState, **columns: Any) -> bool:
    """Goes to ``to``, with ``columns`` in the same UPDATE; False, and nothing changed, when it is elsewhere by now.

    Either way ``step`` is as it stands then. ValueError for a state that can't follow. A run ends with its last step.
    """
    if not may_follow(MigrationState(step.state), to):
        raise ValueError(f"{to} can't follow {step.state}")
    now = timezone.now()
    at_it = MigrationStep.objects.filter(pk=step.pk, state=step.state)
    with transaction.atomic():
        moved = at_it.update(state=to, changed_at=now, **columns)
        if moved and to not in UNDER_WAY:
            _finish(step.run_id)
    step.refresh_from_db()
    return bool(moved)


def advance_all(
    run: MigrationRun, was: MigrationState, to: MigrationState, *, only: Q | None = None, **columns: Any
) -> int:
    """Has every step of ``run`` that is in ``was`` go to ``to``, in one UPDATE; returns how many did.

    ValueError for a state that can't follow.
    """
    if not may_follow(was, to):
        raise ValueError(f"{to} can't follow {was}")
    at_it = run.steps.filter(only or Q(), state=was)
    with transaction.atomic():
        moved = at_it.update(state=to, changed_at=timezone.now(), **columns)
        if moved and to not in UNDER_WAY:
            _finish(run.pk)
    return moved


def fail(step: MigrationStep, error: MailAccountsError) -> bool:
    """Ends this try: what it was to sign in with is destroyed and given back, and the account goes on as before."""
    return _let_go(step, MigrationState.FAILED, **trouble(error), next_at=None)


def cancel(step: MigrationStep) -> bool:
    """Gives up a migration that hasn't switched yet; False when it has, or has ended otherwise."""
    return step.state in UNDER_WAY and _let_go(step, MigrationState.CANCELLED, **NO_TROUBLE, next_at=None)


def _let_go(step: MigrationStep, to: MigrationState, **columns: Any) -> bool:
    with transaction.atomic():
        # The account's row is locked first everywhere, so that nobody waits for another in a circle.
        account = MailAccount.objects.select_for_update(of=("self",)).filter(migrations=step).first()
        moved = advance(step, to, **columns)
        if moved and account is not None:
            pending = account.credentials.filter(state=CredentialState.PENDING)
            destroy(pending.select_related("grant__client"))
    return moved


def _finish(run_id: Any) -> None:
    left = MigrationStep.objects.filter(run_id=run_id, state__in=UNDER_WAY)
    if not left.exists():
        MigrationRun.objects.filter(pk=run_id, finished_at=None).update(finished_at=timezone.now())
