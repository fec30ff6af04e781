"""Opens a mailbox's mail to somebody other than its owner: for a reason and a while, under the owner's eyes.

Who may is for ``selectors.openable_by`` to say, and what is seen for ``selectors.Sight``, at every read anew; what was
looked at, services.trail.looks notes.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from mailaccounts import selectors
from mailaccounts.conf import settings
from mailaccounts.hooks import hooks
from mailaccounts.models import AuditAction, BreakGlass
from mailaccounts.queue import Job, enqueue
from mailaccounts.services.trail.audit import note

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailaccounts.models import MailAccount

SPANS = (15, 60, 240)  # minutes to choose from, as far as the settings allow
BUDGET_SECONDS = 60  # of one tick
TRIED_FOR = timedelta(days=7)  # that owners are to be told by mail; pages tell them as long as the account is there

logger = logging.getLogger(__name__)


def spans() -> list[int]:
    """For how many minutes a mailbox may be opened."""
    most = settings.open_mail_minutes
    return [*(each for each in SPANS if each < most), most]


def open_mail(account: MailAccount, *, viewer: Any, reason: str, minutes: int) -> BreakGlass:
    """Lets ``viewer`` look for so many minutes, and has the owner told; what is open already stays as it is.

    PermissionDenied for somebody who may not, ValueError for no reason or another time than one of ``spans``.
    """
    reason = reason.strip()
    if not reason or minutes not in spans():
        raise ValueError("it takes a reason, and one of the times there are")
    with transaction.atomic():
        found = selectors.openable_by(viewer).select_for_update(of=("self",)).filter(pk=account.pk).first()
        if found is None:
            raise PermissionDenied
        opening = selectors.openings_by(viewer).filter(account=found).first()
        if opening is None:
            until = timezone.now() + timedelta(minutes=minutes)
            opening = BreakGlass.objects.create(account=found, viewer=viewer, reason=reason, until=until)
            note(AuditAction.OPENED, found, actor=viewer, opening=opening.pk, until=until.isoformat())
            enqueue(Job.TELL_OPENED, opening.pk)
            logger.info("the mail of account %d was opened by user %s", found.pk, viewer.pk)
    return opening


def end(openings: Iterable[BreakGlass], *, actor: Any) -> int:
    """Ends these before their time is up; how many were still open."""
    ended = 0
    for opening in openings:
        with transaction.atomic():
            claimed = BreakGlass.objects.filter(selectors.is_open(), pk=opening.pk).update(ended_at=timezone.now())
            if claimed:
                note(AuditAction.CLOSED, opening.account, actor=actor, opening=opening.pk)
                ended += 1
    return ended


def tell(opening_id: int) -> bool:
    """Tells the owner by mail; False when they were told, or can't be, and are to be told later."""
    untold = BreakGlass.objects.filter(selectors.of_present_owner(), pk=opening_id)
    if not untold.filter(told_at=None).update(told_at=timezone.now()):
        return False
    opening = untold.select_related("account__owner", "viewer").get()
    try:
        subject = f"Somebody looks at the mail of {opening.account.address}"
        hooks().notify_owner(opening.account, subject=subject, text=_text(opening))
    except Exception as error:  # noqa: BLE001 - every way of telling somebody has errors of its own
        logger.error(
            "the owner of account %d couldn't be told that it was opened: %s", opening.account_id, type(error).__name__
        )
        untold.update(told_at=None)
        return False
    return True


def tell_due() -> int:
    """Tells the owners that couldn't be told yet, for a minute; how many."""
    started, told = time.monotonic(), 0
    due = BreakGlass.objects.filter(
        selectors.of_present_owner(), told_at=None, opened_at__gt=timezone.now() - TRIED_FOR
    )
    for opening_id in list(due.order_by("pk").values_list("pk", flat=True)):
        told += tell(opening_id)
        if time.monotonic() - started > BUDGET_SECONDS:
            break
    return told


def called(user: Any) -> str:
    """Who that is, to an owner; a host's users may have no full name."""
    if user is None:
        return "Somebody who isn't a user any more"
    return str(getattr(user, "get_full_name", str)() or user.get_username())


def _handed_over(opening: BreakGlass) -> str:
    whose = opening.account.handed_over_from
    return f" and was handed over to you from {whose}" if whose else ""


def _text(opening: BreakGlass) -> str:
    path = reverse("mailaccounts:ledger", args=[opening.account_id])
    where = f"{settings.site_url.rstrip('/')}{path}" if settings.site_url else "in the CRM, Settings → Email accounts"
    since, until = (date_format(timezone.localtime(each), "j M Y, H:i") for each in (opening.opened_at, opening.until))
    return (
        f"{called(opening.viewer)} opened the mail of {opening.account.address} that is stored here"
        f"{_handed_over(opening)}, from {since} to {until} at most.\n\n"
        f"Their reason: “{' '.join(opening.reason.split())}”\n\n"
        f"They can read it, and do nothing with it. Its ledger lists what they look at: {where}\n"
    )
