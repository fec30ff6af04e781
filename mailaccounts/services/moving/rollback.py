"""The way back: as long as what an account signed in with before is kept, one click puts it into use again."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from mailaccounts.errors import (
    AccountChanged,
    AlreadyMoving,
    AuthenticationRejected,
    HostMisconfigured,
    OAuthError,
    Remedy,
    WayBackGone,
    WayBackRefused,
)
from mailaccounts.mail.smtp import SmtpSession
from mailaccounts.mail.types import Endpoint
from mailaccounts.models import AuditAction, Credential, CredentialState, MailAccount, MigrationStep
from mailaccounts.queue import Job, enqueue
from mailaccounts.rules.migration_states import MigrationState
from mailaccounts.services.connecting.connect import host_columns
from mailaccounts.services.connecting.identity import facts_of
from mailaccounts.services.moving import steps
from mailaccounts.services.moving.migrate import BUSY
from mailaccounts.services.signing_in import login
from mailaccounts.services.signing_in.credentials import destroy, in_use, lock, reset_status
from mailaccounts.services.telling import events
from mailaccounts.services.trail.audit import note


def way_back(account: MailAccount) -> Credential | None:
    """What the account can go back to; None when nothing is kept."""
    kept = account.credentials.select_related("grant__client").filter(state=CredentialState.RETIRED)
    return kept.order_by("-retired_at").first()


def roll_back(account: MailAccount, *, actor: Any) -> None:
    """Proves what the account signed in with before, then puts it into use again; the new sign-in is destroyed and
    given back.

    WayBackGone when nothing is kept any more, WayBackRefused when the server doesn't take it, AlreadyMoving while
    another move is being proven, and network errors; then everything is as it was.
    """
    kept = way_back(account)
    if kept is None:
        raise WayBackGone(address=account.address)
    step = _switched(account)
    imap, smtp = _servers(account, step)
    _prove(account, kept, imap, smtp)
    with transaction.atomic():
        lock(account)
        under_way = steps.under_way(account)
        if under_way is not None and under_way.state in BUSY:
            raise AlreadyMoving(address=account.address)
        if step is not None and not steps.advance(step, MigrationState.ROLLED_BACK, **steps.NO_TROUBLE):
            raise AccountChanged(address=account.address)
        current = in_use(account)
        if current is not None:
            destroy([current])
        back = Credential.objects.filter(pk=kept.pk, state=CredentialState.RETIRED)
        if not back.update(state=CredentialState.ACTIVE, retired_at=None, proven_at=timezone.now()):
            raise WayBackGone(address=account.address)
        old = current.backend if current else ""
        note(AuditAction.ROLLED_BACK, account, actor=actor, old=old, **facts_of(kept, sends=smtp is not None))
        reset_status(account, clean_syncs=0, **host_columns(imap, smtp))
        enqueue(Job.SYNC, account.pk)
        events.switched(account.pk, old=old, new=kept.backend)


def _switched(account: MailAccount) -> MigrationStep | None:
    """The step that retired what is kept."""
    switched = MigrationStep.objects.filter(account=account, state=MigrationState.SWITCHED)
    return switched.select_related("account", "run").order_by("-switched_at").first()


def _servers(account: MailAccount, step: MigrationStep | None) -> tuple[Endpoint, Endpoint | None]:
    """The servers that the old sign-in is for."""
    before = step.snapshot if step else None
    if not before:
        return account.imap, account.smtp
    smtp = Endpoint.from_url(before["smtp"], protocol="smtp") if before["smtp"] else None
    return Endpoint.from_url(before["imap"], protocol="imap"), smtp


def _prove(account: MailAccount, kept: Credential, imap: Endpoint, smtp: Endpoint | None) -> None:
    """That the old sign-in still opens the mailbox, and may send where it did."""
    host = imap.host
    try:
        with login.open_with(kept, imap, limits=login.proof_limits()) as session:
            session.select("INBOX")
        if smtp is not None:
            host = smtp.host
            with login.open_once(SmtpSession, kept, smtp):
                pass
    except (AuthenticationRejected, OAuthError, HostMisconfigured) as error:
        if error.remedy is Remedy.WAIT:
            raise
        raise WayBackRefused(host=host, address=account.address) from None
