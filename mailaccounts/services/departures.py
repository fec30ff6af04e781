"""When a user of the CRM is deactivated or deleted, their mailboxes are disconnected: no sync, no secret, mail kept.

A user who is saved as inactive is noticed at once, whoever was deactivated behind Django's back (``update()``, SQL) by
the next tick.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q
from django.db.models.signals import post_save, pre_delete

from mailaccounts.models import MailAccount
from mailaccounts.queue import Job, enqueue
from mailaccounts.services import audit
from mailaccounts.services.disconnect import Reason, cut
from mailaccounts.services.lease import CONNECTED

AT_A_TIME = 1000  # accounts in one go; the next tick goes on


def watch() -> None:
    """Listens to what becomes of users."""
    user = get_user_model()
    post_save.connect(_saved, sender=user, dispatch_uid="mailaccounts.departures.saved")
    pre_delete.connect(_deleted, sender=user, dispatch_uid="mailaccounts.departures.deleted")


def of_departed_owners() -> Q:
    """Connected accounts whose owner was deactivated. Django's own user model has a column for that, a host's may
    not; then there are none."""
    columns = {field.name for field in get_user_model()._meta.get_fields()}
    return CONNECTED & (Q(owner__is_active=False) if "is_active" in columns else Q(pk__in=[]))


def disconnect_departed() -> int:
    """Disconnects every account whose owner was deactivated; how many."""
    departed = of_departed_owners()
    found = MailAccount.objects.filter(departed).order_by("pk").values_list("pk", flat=True)[:AT_A_TIME]
    return sum(cut(pk, reason=Reason.DEACTIVATED, only=departed) is not None for pk in list(found))


def _saved(*, instance: Any, raw: bool, **_: Any) -> None:
    if raw or getattr(instance, "is_active", True):
        return
    if MailAccount.objects.filter(of_departed_owners(), owner=instance).exists():
        enqueue(Job.DEPART)


def _deleted(*, instance: Any, **_: Any) -> None:
    """In the transaction that deletes the user: their accounts and mail go with them, the receipts stay."""
    for pk in list(MailAccount.objects.filter(owner=instance).values_list("pk", flat=True)):
        receipt = cut(pk, reason=Reason.DELETED, erase_mail=True)
        if receipt:
            audit.follow_up(receipt, erased=True)
