"""Sets right what a comparison found: the missing come in by a sync, the doubled are merged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from mailaccounts.errors import AccountBusy, LeaseLost
from mailaccounts.models import Attachment, MailAccount, Message, MessageUid
from mailaccounts.services.checking.compare import compare_account
from mailaccounts.services.limits import lease
from mailaccounts.services.storing import cursors
from mailaccounts.services.syncing.sync import sync_account

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailaccounts.services.checking.compare import Comparison
    from mailaccounts.services.limits.lease import Lease

CONTENT = ("has_body", "truncated", "body_text", "body_html")


def repair_account(account_id: int, found: Comparison, *, progress: Callable[[str], None] | None = None) -> Comparison:
    """Repairs what was ``found`` and compares once more: what is in the result is left. A folder that misses messages
    is gone through again by an ordinary sync, which fetches no body that is stored."""
    account = MailAccount.objects.get(pk=account_id)
    held = lease.claim(account)
    if held is None:
        found.error = AccountBusy(address=account.address)
        return found
    try:
        for doubled, keep in found.doubled.items():
            _merge(held, doubled=doubled, keep=keep)
        cursors.go_through_again(account_id, found.missing, held=held)
    except LeaseLost as error:
        found.error = error
        return found
    finally:
        lease.release(held, next_sync_at=account.next_sync_at)
    if found.missing:
        finished = False
        while not finished:
            report = sync_account(account_id, progress=progress)
            if report.error is not None:
                found.error = report.error
                return found
            finished = report.finished
    return compare_account(account_id, progress=progress)


def _merge(held: Lease, *, doubled: int, keep: int) -> None:
    """Of two rows for one message the older one stays, which the host may refer to, under the fingerprint that the
    server's has, with the places and the content of both."""
    with transaction.atomic():
        lease.renew(held)
        rows = Message.objects.filter(pk__in=(doubled, keep), account=held.account_id).in_bulk()
        if len(rows) < 2:
            return
        fingerprint, gone_since = rows[keep].fingerprint, rows[keep].gone_since
        stays, goes = rows[min(rows)], rows[max(rows)]
        MessageUid.objects.filter(message=goes).update(message=stays)
        if goes.has_body and not stays.has_body:
            for column in CONTENT:
                setattr(stays, column, getattr(goes, column))
            Attachment.objects.filter(message=goes).update(message=stays)
        goes.delete()
        stays.fingerprint, stays.gone_since = fingerprint, gone_since
        stays.save(update_fields=["fingerprint", "gone_since", *CONTENT])
