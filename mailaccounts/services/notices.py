"""Tells an account's owner, once, that it needs them.

The sync that finds so marks the account in the same UPDATE (``services.outcome``). Whoever takes the mark away sends
the notice: one worker, however many there are. A tick sends what a worker couldn't.
"""

from __future__ import annotations

import logging
import time

from django.urls import reverse

from mailaccounts.conf import settings
from mailaccounts.hooks import hooks
from mailaccounts.models import NEEDS_SOMEBODY, AccountStatus, MailAccount

BUDGET_SECONDS = 60  # of one tick

logger = logging.getLogger(__name__)


def notify(account_id: int) -> bool:
    """Sends the notice that is due for an account; False when there is none, or it couldn't be sent, and is due
    again."""
    needy = MailAccount.objects.filter(pk=account_id, status__in=NEEDS_SOMEBODY)
    if not needy.filter(notice_due=True).update(notice_due=False):
        return False
    account = needy.select_related("owner").first()
    if account is None:  # it has recovered this very moment
        return False
    try:
        hooks().notify_owner(account, subject=_subject(account), text=_text(account))
    except Exception as error:  # noqa: BLE001 - every way of telling somebody has errors of its own
        logger.error("the owner of account %d couldn't be told: %s", account_id, type(error).__name__)
        needy.update(notice_due=True)
        return False
    return True


def notify_due() -> int:
    """Sends the notices that are due, for a minute; how many."""
    started, sent = time.monotonic(), 0
    due = MailAccount.objects.filter(notice_due=True, status__in=NEEDS_SOMEBODY)
    for account_id in list(due.order_by("pk").values_list("pk", flat=True)):
        sent += notify(account_id)
        if time.monotonic() - started > BUDGET_SECONDS:
            break
    return sent


def _subject(account: MailAccount) -> str:
    if account.status == AccountStatus.NEEDS_ADMIN:
        return f"{account.address} needs its administrator"
    return f"{account.address} needs you to sign in again"


def _text(account: MailAccount) -> str:
    for_admin = account.status == AccountStatus.NEEDS_ADMIN
    page, what = ("account", "See how it is doing") if for_admin else ("reconnect", "Reconnect it")
    path = reverse(f"mailaccounts:{page}", args=[account.pk])
    where = f"{settings.site_url.rstrip('/')}{path}" if settings.site_url else "in the CRM, Settings → Email accounts"
    return (
        f"We can't bring in the mail of {account.address} any more.\n\n"
        f"{account.status_message}\n\n"
        f"{what}: {where}\n\n"
        "Nothing is lost: mail that arrives in the meantime is brought in once this is settled. "
        "You won't be told again until then.\n"
    )
