"""Whose accounts, and what belongs to them besides mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db.models import Q

from mailaccounts.models import ERASING, AuditAction, AuditEntry, Blocked, Erasing, Look, MailAccount, Quarantined

if TYPE_CHECKING:
    from django.db.models import QuerySet


def accounts_for(user: Any) -> QuerySet[MailAccount]:
    """The accounts ``user`` may see: their own, and none for somebody who isn't signed in. What was handed over to
    them is not theirs."""
    if not user.is_authenticated:
        return MailAccount.objects.none()
    return MailAccount.objects.filter(owner=user, handed_over_at=None)


def handed_to(user: Any) -> QuerySet[MailAccount]:
    """The mailboxes of people who left whose mail was handed over to ``user``, to be read as others do with whom it is
    shared."""
    if not user.is_authenticated:
        return MailAccount.objects.none()
    return MailAccount.objects.filter(owner=user, handed_over_at__isnull=False).exclude(status_code=ERASING)


def overseen_by(user: Any) -> QuerySet[MailAccount]:
    """The accounts of which ``user`` is told who looks at their mail: their own, and those handed over to them."""
    return accounts_for(user) | handed_to(user)


def mailboxes_of(user: Any) -> QuerySet[MailAccount]:
    """The user's own accounts, but for those whose mail is on its way out."""
    return accounts_for(user).exclude(status_code=ERASING)


def blocked_by(user: Any) -> QuerySet[Blocked]:
    """Whom the user has blocked: nobody else is shown it."""
    return Blocked.objects.filter(owner=user).order_by("pattern")


def looks_at(account: MailAccount) -> QuerySet[Look]:
    """Who looked at an account's mail, newest first; where it was handed over, since it was: who looked before was for
    the owner before to see. Ask only for accounts that the user oversees."""
    since = Q(at__gte=account.handed_over_at) if account.handed_over_at else Q()
    found = Look.objects.filter(since, account=account).select_related("viewer", "message", "opened")
    return found.order_by("-at", "-pk")


def quarantined_of(account: MailAccount) -> QuerySet[Quarantined]:
    """What is set aside of an account's mail. Ask only for accounts that the user may see."""
    return Quarantined.objects.filter(folder__account=account)


def receipts_for(user: Any) -> QuerySet[AuditEntry]:
    """The receipts of the mailboxes that ``user`` had when they were disconnected, newest first."""
    if not user.is_authenticated:
        return AuditEntry.objects.none()
    return receipts().filter(owner=user)


def receipts() -> QuerySet[AuditEntry]:
    """What disconnecting left behind: an entry for each time, without those that tell what came of it later."""
    return AuditEntry.objects.filter(action=AuditAction.DISCONNECTED).exclude(facts__has_key="receipt")


def erasings_of(user: Any) -> QuerySet[Erasing]:
    """What ``user`` asked to have erased because of whom it is with."""
    return Erasing.objects.filter(asked_by=user) if user.is_authenticated else Erasing.objects.none()


def deactivated(path: str = "") -> Q:
    """Users who were deactivated, or what belongs to such a user, who is at ``path``. Django's own user model has a
    column for that, a host's may not; then there are none."""
    columns = {field.name for field in get_user_model()._meta.get_fields()}
    return Q((f"{path}is_active", False)) if "is_active" in columns else Q(pk__in=[])


def is_deactivated(user: Any) -> bool:
    """Whether this one was, as was read of them."""
    return not getattr(user, "is_active", True)


def is_staff_with(user: Any, permission: str) -> bool:
    """Whether this one is staff with the permission. A host without Django's admin may know no staff: nobody is."""
    return bool(getattr(user, "is_staff", False) and user.has_perm(permission))
