"""Tells an account's owner, once, that something waits for them, with a link to exactly that step.

What finds so marks the account (``syncing.outcome``) or the message (``sending.outgoing``) in the same UPDATE,
and counts the incident. Whoever takes the mark away sends the notice: one worker, however many there are. A tick sends
what a worker couldn't.

The link names the row and its incident, signed. It is no key: whoever opens it has to be signed in as the owner, and
looking at it changes nothing, for mail scanners follow links. It ends with the incident.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.core import signing
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone

from mailaccounts import selectors
from mailaccounts.conf import settings
from mailaccounts.errors import NoticeDamaged, NoticeForSomebodyElse, NoticeSettled
from mailaccounts.hooks import hooks
from mailaccounts.models import UNDECIDED, MailAccount, Outgoing
from mailaccounts.services.limits.lease import WAITING
from mailaccounts.services.telling import needs

if TYPE_CHECKING:
    from mailaccounts.services.telling.needs import Need

SALT = "mailaccounts.notice"
BUDGET_SECONDS = 60  # of one tick
PATIENCE = timedelta(days=1)  # with whoever has connected a mailbox and not said how far back
ACCOUNT, MESSAGE = "account", "message"

logger = logging.getLogger(__name__)


def notify(account_id: int) -> bool:
    """Sends the notice that is due for an account; False when there is none, or it couldn't be sent, and is due
    again."""
    return _notify(ACCOUNT, MailAccount.objects.filter(needs.NEEDY, pk=account_id).select_related("owner"))


def notify_due() -> int:
    """Sends the notices that are due, for a minute; how many."""
    started, sent = time.monotonic(), 0
    forgotten = MailAccount.objects.filter(WAITING, incident=0, created_at__lt=timezone.now() - PATIENCE)
    forgotten.update(incident=1, notice_due=True)
    accounts = MailAccount.objects.filter(needs.NEEDY).select_related("owner")
    # A message that waits for the same sign-in as its account is told of with that.
    wanting = Outgoing.objects.filter(UNDECIDED | needs.HELD, author=F("account__owner")).select_related(
        "account__owner"
    )
    told_already = Q(account__in=MailAccount.objects.filter(needs.NEEDY))
    for kind, rows in ((ACCOUNT, accounts), (MESSAGE, wanting.exclude(told_already).defer("raw"))):
        for pk in list(rows.filter(notice_due=True).order_by("pk").values_list("pk", flat=True)):
            sent += _notify(kind, rows.filter(pk=pk))
            if time.monotonic() - started > BUDGET_SECONDS:
                return sent
    return sent


def open_link(token: str, *, user: Any) -> Need:
    """What the link of a notice asks ``user`` to do. Changes nothing.

    NoticeDamaged; NoticeForSomebodyElse, whatever there is behind it; for its owner NoticeSettled, with the account's
    page in its facts.
    """
    try:
        kind, pk, incident = signing.Signer(salt=SALT).unsign_object(token)
    except (signing.BadSignature, ValueError, TypeError):
        raise NoticeDamaged from None
    mine = selectors.mailboxes_of(user)
    row: Any
    if kind == ACCOUNT:
        row = account = mine.filter(pk=pk).first()
    else:
        row = selectors.outgoing_for(user).filter(pk=pk).select_related("account").defer("raw").first()
        account = row.account if row else None
    if account is None or not hooks().can_manage(user, account):
        raise NoticeForSomebodyElse
    need = _need(row)
    if need is None or row.incident != incident:
        raise NoticeSettled(account=account.pk)
    return need


def token_of(row: MailAccount | Outgoing) -> str:
    """What the link of a notice about ``row`` ends in."""
    kind = ACCOUNT if isinstance(row, MailAccount) else MESSAGE
    return signing.Signer(salt=SALT).sign_object([kind, row.pk, row.incident])


def _need(row: MailAccount | Outgoing) -> Need | None:
    return needs.of_account(row) if isinstance(row, MailAccount) else needs.of_message(row)


def _notify(kind: str, rows: Any) -> bool:
    """Sends the notice about the one of ``rows``, if it is due and still wanted."""
    if not rows.model.objects.filter(pk__in=rows.values("pk"), notice_due=True).update(notice_due=False):
        return False
    row = rows.first()
    need = _need(row) if row is not None else None
    if need is None:  # it has recovered this very moment
        return False
    account = row if kind == ACCOUNT else row.account
    try:
        hooks().notify_owner(account, subject=need.subject, text=_text(account, row, need))
    except Exception as error:  # noqa: BLE001 - every way of telling somebody has errors of its own
        logger.error("the owner of account %d couldn't be told: %s", account.pk, type(error).__name__)
        rows.model.objects.filter(pk__in=rows.values("pk")).update(notice_due=True)
        return False
    return True


def _text(account: MailAccount, row: MailAccount | Outgoing, need: Need) -> str:
    where = "in the CRM, Settings → Email accounts"
    if settings.site_url:
        where = settings.site_url.rstrip("/") + reverse("mailaccounts:go", args=[token_of(row)])
    lead = f"We can't bring in the mail of {account.address} any more.\n\n" if row is account and account.begun else ""
    return (
        f"{lead}{need.why}\n\n"
        f"{need.what}: {where}\n\n"
        "Nothing is lost: what comes or waits in the meantime is seen to once this is settled. You won't be told "
        "again until then.\n"
    )
