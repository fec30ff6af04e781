"""When a user of the CRM is deactivated or deleted, their mailboxes are disconnected: no sync, no secret, mail kept.

A user who is saved as inactive has none left once that is committed: no worker has to be free for it. Whoever was
deactivated behind Django's back (``update()``, SQL) is found by the next tick.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q
from django.db.models.signals import post_save, pre_delete

from mailaccounts.conf import settings
from mailaccounts.hooks import hooks
from mailaccounts.models import MailAccount
from mailaccounts.selectors import deactivated, is_deactivated
from mailaccounts.services.connecting import handing_over
from mailaccounts.services.connecting.disconnect import Reason, cut
from mailaccounts.services.limits.lease import CONNECTED
from mailaccounts.services.telling.safely import safely
from mailaccounts.services.trail import audit

logger = logging.getLogger(__name__)

AT_A_TIME = 1000  # accounts in one go; the next tick goes on


def watch() -> None:
    """Listens to what becomes of users."""
    user = get_user_model()
    post_save.connect(_saved, sender=user, dispatch_uid="mailaccounts.departures.saved")
    pre_delete.connect(_deleted, sender=user, dispatch_uid="mailaccounts.departures.deleted")


def of_departed_owners() -> Q:
    """Connected accounts whose owner was deactivated."""
    return CONNECTED & deactivated("owner__")


def disconnect_departed(whose: Q | None = None) -> int:
    """Disconnects every account whose owner was deactivated, or those of them that are ``whose``; how many."""
    departed = of_departed_owners() & (whose or Q())
    found = MailAccount.objects.filter(departed).select_related("owner").order_by("pk")[:AT_A_TIME]
    return sum(_disconnect(account, departed) for account in list(found))


def _disconnect(account: MailAccount, departed: Q) -> bool:
    """In one transaction with what the host wants to become of the mail: nobody has to remember it."""
    heir = _heir_of(account) if settings.departed_mail == "hand_over" else None
    with transaction.atomic():
        erases = settings.departed_mail == "erase"
        receipt = cut(account.pk, reason=Reason.DEACTIVATED, only=departed, erase_mail=erases)
        if receipt is not None and heir is not None:
            _hand_over(account, heir)
    return receipt is not None


def _heir_of(account: MailAccount) -> Any | None:
    """None as well where the host fails to say: the mail is kept."""
    try:
        return hooks().heir_of(account)
    except Exception as error:  # noqa: BLE001 - it must keep nobody from being disconnected
        logger.error("account %d: the host can't say who its heir is: %s", account.pk, type(error).__name__)
        return None


def _hand_over(account: MailAccount, heir: Any) -> None:
    """Where the host fails to say what the heir may see, the mail is kept."""
    try:
        with transaction.atomic():
            if handing_over.obstacle(account, heir) is None:
                handing_over.begin(account.pk, heir=heir)
    except Exception as error:  # noqa: BLE001 - nor must this
        logger.error("account %d: its mail couldn't be handed over: %s", account.pk, type(error).__name__)


def _saved(*, instance: Any, raw: bool, **_: Any) -> None:
    """Neither a fault of ours nor a database out of order keeps a user from being deactivated: the tick goes on."""
    if not raw and is_deactivated(instance):
        work = partial(safely, partial(disconnect_departed, Q(owner=instance.pk)))
        transaction.on_commit(work)


def _deleted(*, instance: Any, **_: Any) -> None:
    """In the transaction that deletes the user: their accounts and mail go with them, the receipts stay."""
    for pk in list(MailAccount.objects.filter(owner=instance).values_list("pk", flat=True)):
        receipt = cut(pk, reason=Reason.DELETED, erase_mail=True)
        if receipt:
            audit.follow_up(receipt, erased=True)
