"""Syncs one account, contacts first: headers of what is new, bodies only of what concerns a contact.

The order is the promise: headers → the host says whom it knows → bodies of the matched → rows and cursor in one
transaction → signal. No network call happens inside a transaction, and no body of an unmatched message is ever asked
for.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from django.db import DatabaseError
from django.utils import timezone

from mailaccounts import logs, tracing
from mailaccounts.conf import settings
from mailaccounts.errors import (
    AccountBusy,
    AccountDisconnected,
    AccountPaused,
    CredentialMissing,
    LeaseLost,
    MailAccountsError,
    NotBegun,
)
from mailaccounts.models import AccountStatus, MailAccount
from mailaccounts.services.limits import lease
from mailaccounts.services.moving import certificate
from mailaccounts.services.signing_in import login
from mailaccounts.services.syncing import outcome, standing
from mailaccounts.services.syncing.narrow import BROKEN_OFF
from mailaccounts.services.syncing.report import SyncReport
from mailaccounts.services.syncing.retention import erase_old
from mailaccounts.services.syncing.round import Round
from mailaccounts.services.syncing.work import Work
from mailaccounts.services.telling.announce import announce

if TYPE_CHECKING:
    from mailaccounts.mail.imap import ImapSession
    from mailaccounts.services.limits.lease import Lease
    from mailaccounts.services.syncing.report import Progress
    from mailaccounts.services.syncing.standing import Standing

SESSIONS = 12  # of one sync, where a server breaks off again and again
SIGNING_IN = "Signing in"
TOKEN_MECHANISMS = ("XOAUTH2", "OAUTHBEARER")

logger = logging.getLogger(__name__)


def sync_account(account_id: int, *, progress: Progress | None = None) -> SyncReport:
    """Syncs until nothing is new or the time budget is spent. What goes wrong with the account is in the report and
    on the account; MailAccount.DoesNotExist when it is gone, and only faults of our own are raised."""
    with logs.about(account_id), tracing.span("mailaccounts.sync", account=account_id):
        report = _sync(account_id, progress=progress)
        if report.error is not None:
            tracing.fail(report.error.code)
        return report


def _sync(account_id: int, *, progress: Progress | None) -> SyncReport:
    started, since = time.monotonic(), timezone.now()
    account = MailAccount.objects.get(pk=account_id)
    report = SyncReport(account=account.address, status=account.status)
    if account.status == AccountStatus.DISCONNECTED:
        report.error = AccountDisconnected(address=account.address)
        return report
    if not account.begun:
        report.error = NotBegun(address=account.address)
        return report
    if account.paused_at is not None:
        report.error = AccountPaused(address=account.address)
        return report
    held = lease.claim(account, state=lease.AT_WORK, stage=SIGNING_IN)
    if held is None:
        report.error = AccountBusy(address=account.address)
        return report
    before = standing.look_at(account)
    try:
        if before.unannounced:
            announce(account_id)  # left over from a worker that was lost
        _read(account, before, held, report, progress=progress or _silent, deadline=started + settings.sync_budget)
        report.status = outcome.record_success(held, account, finished=report.finished)
        if report.finished and before.certificate_due:
            certificate.write_if_due(account, credential_id=before.credential_id, since=since)
        if account.keep_days:
            erase_old(account_id)
    except LeaseLost as error:
        report.error = error
    except MailAccountsError as error:
        report.error = error
        status = outcome.record_failure(held, error, credential_id=before.credential_id)
        if status is None:  # another worker's by now, or disconnected: whatever failed is no news
            report.error = LeaseLost(address=account.address)
        else:
            report.status = status
            logger.warning("account %d: sync failed: %s", account_id, error.code)
    except Exception:  # a fault of ours or the database's: the account is not to blame, and not left "ongoing"
        with suppress(DatabaseError):
            outcome.record_failure(held, MailAccountsError(), credential_id=before.credential_id)
        raise
    except BaseException:
        with suppress(DatabaseError):
            lease.release(held)
        raise
    finally:
        report.seconds = time.monotonic() - started
        logger.info("account %d: sync: %s", account_id, report.summary)
    return report


def _read(
    account: MailAccount, before: Standing, held: Lease, report: SyncReport, *, progress: Progress, deadline: float
) -> None:
    progress(SIGNING_IN)
    if before.credential is None:
        raise CredentialMissing(address=account.address)
    session = login.open_with(before.credential, account.imap)
    _note_mechanisms(account, session)
    work = Work(
        account=account,
        held=held,
        session=session,
        report=report,
        progress=progress,
        deadline=deadline,
        quarantine_due=before.quarantine_due,
        changes_due=before.changes_due and account.looks_back,
    )
    for left in reversed(range(SESSIONS)):
        try:
            with work.session:
                report.finished = Round(work=work).run()
            return
        except BROKEN_OFF:
            if not left or not work.try_once_more or work.is_over:
                raise
        finally:
            report.round_trips += work.session.traffic.round_trips
            report.bytes_fetched += work.session.traffic.bytes_received
        work.try_once_more = False
        work.session = login.open_imap(account)


def _note_mechanisms(account: MailAccount, session: ImapSession) -> None:
    """Remembers whether the server takes tokens: its owner need not go on with a password."""
    takes_tokens = not session.mechanisms.isdisjoint(TOKEN_MECHANISMS)
    if takes_tokens != account.takes_tokens:
        MailAccount.objects.filter(pk=account.pk).update(takes_tokens=takes_tokens)


def _silent(stage: str) -> None:
    """Nobody is watching."""
