"""Moving an account to another way of signing in: the same account, the same folders and cursors.

What it shall sign in with is stored beside what it signs in with (CONSENTED), proven beside it (VERIFIED), and only
then takes its place (SWITCHED). Whatever happens before that, a power cut included, the old sign-in serves; ``go_on``
goes on from what is stored, and any number of workers and browsers may call it at once.
"""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from django.db import transaction
from django.utils import timezone

from mailaccounts.errors import AccountChanged, MailAccountsError, Remedy
from mailaccounts.models import AuditAction, Credential, CredentialState, MigrationStep
from mailaccounts.queue import Job, enqueue
from mailaccounts.rules.backoff import next_delay
from mailaccounts.rules.migration_states import UNDER_WAY, MigrationState
from mailaccounts.services.connecting.connect import host_columns, insist_on_same_servers
from mailaccounts.services.connecting.identity import facts_of
from mailaccounts.services.connecting.wish import Wish
from mailaccounts.services.limits.budget import at_most
from mailaccounts.services.moving import proof, steps
from mailaccounts.services.signing_in.credentials import destroy, in_use, lock, replaced, reset_status, retire
from mailaccounts.services.trail.audit import note

if TYPE_CHECKING:
    from mailaccounts.models import Grant, MailAccount

AT_IT = timedelta(minutes=3)  # longer than a proof takes: until then somebody is at work on the step
PROOF_LASTS = timedelta(minutes=15)  # one that is older is given anew before the switch
BUSY = (MigrationState.CONSENTED, MigrationState.VERIFIED)


class NewSignIn(Protocol):
    """What an account shall sign in with: ``credential`` are the columns, ``grant`` a row that need not be saved."""

    @property
    def wish(self) -> Wish: ...
    @property
    def backend(self) -> str: ...
    @property
    def grant(self) -> Grant: ...
    @property
    def credential(self) -> dict[str, Any]: ...


def store_pending(step: MigrationStep, new: NewSignIn) -> None:
    """Stores what the account shall sign in with beside what it does, to be proven; an earlier one is given back.

    AccountChanged when the account has got other servers or was disconnected since ``new`` was wished for, or when
    the step has come to its end.
    """
    if step.account is None:
        raise AccountChanged(address=step.address)
    now = timezone.now()
    with transaction.atomic():
        account = lock(step.account)
        step.refresh_from_db()
        insist_on_same_servers(account, new.wish)
        _insist_on_a_way(step)
        pending = account.credentials.filter(state=CredentialState.PENDING)
        destroy(pending.select_related("grant__client"))
        current = in_use(account)
        steps.advance(
            step,
            MigrationState.CONSENTED,
            before=current.backend if current else "",
            after=new.backend,
            wish=new.wish.as_json(),
            scopes=new.grant.scopes,
            **steps.NO_TROUBLE,
            attempts=0,
            consented_at=now,
            next_at=now + AT_IT,
        )
        if new.grant._state.adding:
            new.grant.save()
        Credential.objects.create(account=account, state=CredentialState.PENDING, **new.credential)


def consented(account: MailAccount, new: NewSignIn, *, user: Any) -> MigrationStep | None:
    """Begins, or goes on with, the account's way to what its owner has just consented to; None for an account that
    signs in like that already, or with nothing: then the new sign-in simply takes the place of the old one.

    AccountChanged as ``store_pending``.
    """
    with transaction.atomic():
        account = lock(account)
        current = in_use(account)
        same = current is not None and current.backend == new.backend
        if same or (current is None and steps.under_way(account) is None):
            return None
        step = steps.for_owner(account, client=new.grant.client, to=new.backend, user=user)
        store_pending(step, new)
        return step


def go_on(step: MigrationStep, *, actor: Any = None) -> MigrationStep:
    """Goes on from whatever state is stored, as far as it gets; ``step`` is then as it stands.

    Raises what stopped it, once that is noted: trouble that passes leaves the step where it is, to be tried again by
    the tick; anything else ends this try, and what was granted is given back.
    """
    while step.state in BUSY:
        before = (step.state, step.consented_at)
        try:
            if step.state == MigrationState.CONSENTED:
                prove(step)
            else:
                swap(step, actor=actor)
        except MailAccountsError as error:
            step.refresh_from_db()
            if (step.state, step.consented_at) == before:
                _stopped(step, error, actor=actor)
                raise
    return step


def prove(step: MigrationStep) -> None:
    """Proves the new sign-in beside the old one: CONSENTED → VERIFIED. Raises what is wrong with it."""
    account, pending = _pair(step)
    wish = Wish.from_json(step.wish, owner=account.owner)
    insist_on_same_servers(account, wish)
    with nullcontext() if step.run.by_owner else at_most(wish.draft.imap.host):
        found = proof.compare(account, pending, wish)
    with transaction.atomic():
        lock(account)
        same = MigrationStep.objects.filter(pk=step.pk, consented_at=step.consented_at).exists()
        waiting = Credential.objects.filter(pk=pending.pk, state=CredentialState.PENDING)
        if same and waiting.update(proven_at=found.at):
            steps.advance(
                step, MigrationState.VERIFIED, **steps.NO_TROUBLE, verified_at=found.at, snapshot=found.snapshot
            )
        else:  # another consent has taken its place, or somebody has cancelled
            step.refresh_from_db()


def swap(step: MigrationStep, *, actor: Any = None) -> None:
    """Puts the proven sign-in into use, in one transaction: VERIFIED → SWITCHED. The old one is kept, sealed.

    A proof that is old goes back to CONSENTED instead. AccountChanged when the account was disconnected or got other
    servers meanwhile.
    """
    account, _ = _pair(step)
    with transaction.atomic():
        locked = lock(account)
        step.refresh_from_db()  # a newer consent wishes for something else
        if step.state != MigrationState.VERIFIED:
            return
        _, pending = _pair(step)
        wish = Wish.from_json(step.wish, owner=account.owner)
        insist_on_same_servers(locked, wish)
        now = timezone.now()
        if step.verified_at is None or step.verified_at < now - PROOF_LASTS:
            steps.advance(step, MigrationState.CONSENTED)
            return
        if not steps.advance(step, MigrationState.SWITCHED, **steps.NO_TROUBLE, switched_at=now, next_at=None):
            return
        earlier = in_use(account)
        if earlier is not None and earlier.backend == pending.backend:
            destroy([earlier])  # what a new consent replaces is no use for rolling back
        elif earlier is not None:
            retire(earlier)
        taken = Credential.objects.filter(pk=pending.pk, state=CredentialState.PENDING, proven_at__isnull=False)
        if not taken.update(state=CredentialState.ACTIVE):
            raise AccountChanged(address=account.address)
        replaced(account, earlier, actor=actor or _begun_by(step), **facts_of(pending, sends=wish.sends))
        reset_status(account, clean_syncs=0, **host_columns(wish.draft.imap, wish.draft.smtp))
        enqueue(Job.SYNC, account.pk)


def _insist_on_a_way(step: MigrationStep) -> None:
    """A step that has come to its end begins nothing."""
    if step.state not in UNDER_WAY:
        raise AccountChanged(address=step.address)


def _pair(step: MigrationStep) -> tuple[MailAccount, Credential]:
    """The account and what it shall sign in with; AccountChanged when either is gone."""
    pending = None
    if step.account is not None:
        found = step.account.credentials.select_related("grant__client")
        pending = found.filter(state=CredentialState.PENDING).first()
    if step.account is None or pending is None:
        raise AccountChanged(address=step.address)
    return step.account, pending


def _stopped(step: MigrationStep, error: MailAccountsError, *, actor: Any) -> None:
    """Notes what is wrong; unless it passes, this try is over."""
    if error.remedy is Remedy.WAIT:
        attempts = step.attempts + 1
        delay = next_delay(attempts, retry_after=getattr(error, "retry_after", None))
        MigrationStep.objects.filter(pk=step.pk, state=step.state).update(
            **steps.trouble(error), attempts=attempts, next_at=timezone.now() + timedelta(seconds=delay)
        )
        step.refresh_from_db()
    elif steps.fail(step, error) and step.account is not None:
        actor = actor or _begun_by(step)
        note(AuditAction.CONSENT_REFUSED, step.account, actor=actor, code=error.code, purpose="switch")


def _begun_by(step: MigrationStep) -> Any:
    """The owner who began it; None for a migration of an administrator's, who isn't there when it goes on."""
    return step.run.created_by if step.run.by_owner else None
