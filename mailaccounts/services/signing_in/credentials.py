"""Puts a proven credential into use and lets go of those it replaces."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from mailaccounts.conf import settings
from mailaccounts.errors import AccountChanged
from mailaccounts.models import AccountStatus, AuditAction, Credential, CredentialState, Grant, MailAccount
from mailaccounts.queue import Job, enqueue
from mailaccounts.services.signing_in.give_back import Outcome, give_back, let_go
from mailaccounts.services.storing import cursors
from mailaccounts.services.telling import events
from mailaccounts.services.trail.audit import note

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from mailaccounts.crypto import Secret
    from mailaccounts.services.signing_in.login import Proof


def lock(account: MailAccount) -> MailAccount:
    """The account as it stands now, locked until the transaction ends; AccountChanged when it is gone or on its way
    out, or was disconnected or handed over since ``account`` was read."""
    locked = MailAccount.objects.select_for_update().filter(pk=account.pk).first()
    if locked is None or locked.is_erasing or locked.owner_id != account.owner_id:
        raise AccountChanged(address=account.address)
    if AccountStatus.DISCONNECTED == locked.status != account.status:
        raise AccountChanged(address=account.address)
    return locked


def in_use(account: MailAccount) -> Credential | None:
    """The credential that the account signs in with; None when it can't."""
    return account.credentials.select_related("grant__client").filter(state=CredentialState.ACTIVE).first()


def activate(
    account: MailAccount,
    *,
    backend: str,
    username: str,
    proof: Proof,
    smtp_username: str = "",
    secret: Secret | None = None,
    grant: Grant | None = None,
) -> Credential:
    """Saves a proven credential as the one in use and has the account synced, if that has begun. Nothing else may be
    active; call it inside a transaction."""
    credential = Credential.objects.create(
        account=account,
        backend=backend,
        username=username,
        smtp_username=smtp_username,
        secret=secret,
        grant=grant,
        state=CredentialState.ACTIVE,
        proven_at=proof.at,
    )
    if account.begun:
        enqueue(Job.SYNC, account.pk)
    return credential


def replaced(account: MailAccount, earlier: Credential | None, *, actor: Any, backend: str, **facts: Any) -> None:
    """Notes that the account signs in with something new; where that is of another kind, the host is told."""
    if earlier is None or earlier.backend == backend:
        note(AuditAction.RECONNECTED, account, actor=actor, backend=backend, **facts)
        return
    note(AuditAction.SWITCHED, account, actor=actor, backend=backend, old=earlier.backend, **facts)
    events.switched(account.pk, old=earlier.backend, new=backend)


def reset_status(account: MailAccount, **changes: Any) -> None:
    """Clears what was wrong with the account, with ``changes`` in the same UPDATE: a login has just succeeded. The
    lease columns belong to the sync and are left alone, unless the account moves to another server."""
    same = MailAccount.objects.filter(pk=account.pk, imap_host__iexact=changes.get("imap_host", account.imap_host))
    if not same.exists():
        cursors.begin_anew(account.pk)
    status = AccountStatus.OK if account.last_sync_at else AccountStatus.NEW
    before = account.status
    MailAccount.objects.filter(pk=account.pk).update(
        status=status,
        status_code="",
        status_message="",
        failures=0,
        next_sync_at=timezone.now() if account.begun else None,
        **changes,
    )
    account.refresh_from_db()
    if before != status:
        events.status_changed(account.pk, status=str(status), code="")


def retire(credential: Credential) -> None:
    """Keeps a credential sealed for rolling back; older retired ones are destroyed."""
    destroy(credential.account.credentials.filter(state=CredentialState.RETIRED))
    credential.state, credential.retired_at = CredentialState.RETIRED, timezone.now()
    credential.save(update_fields=["state", "retired_at"])


def destroy_retired() -> int:
    """Destroys every credential whose time for rolling back is over: so many days, and as many clean syncs in a row
    with what took its place. How many."""
    over = timezone.now() - timedelta(days=settings.retire_days)
    with transaction.atomic():
        due = Credential.objects.filter(
            state=CredentialState.RETIRED, retired_at__lt=over, account__clean_syncs__gte=settings.retire_syncs
        )
        found = list(due.select_related("account").select_for_update(of=("self",), skip_locked=True))
        destroy(found)
    return len(found)


def destroy(credentials: Iterable[Credential], *, by_worker: bool = False) -> dict[UUID, Outcome]:
    """Deletes credentials and lets go of their grants; what became of each. The provider is told after the commit,
    by a worker where many may follow each other.

    Inside a transaction. That a way back is gone for good is noted.
    """
    grants = []
    for credential in credentials:
        if credential.state == CredentialState.RETIRED:
            note(AuditAction.SECRET_DESTROYED, credential.account, backend=credential.backend)
        credential.delete()
        if credential.grant_id is not None:
            grants.append(credential.grant_id)
    outcomes = {grant_id: let_go(grant_id) for grant_id in grants}
    pending = [grant_id for grant_id, outcome in outcomes.items() if outcome is Outcome.PENDING]
    if pending and by_worker:
        enqueue(Job.GIVE_BACK)
    elif pending:
        transaction.on_commit(lambda: _give_back(pending), robust=True)  # not a partial: Django logs its name
    return outcomes


def _give_back(grant_ids: Iterable[UUID]) -> None:
    for grant_id in grant_ids:
        give_back(grant_id)
