"""Mailboxes that somebody other than their owner opened for a while, giving a reason (services.trail.break_glass)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Count, F, Q
from django.utils import timezone

from mailaccounts.models import ERASING, BreakGlass, MailAccount
from mailaccounts.selectors.accounts import deactivated, is_deactivated, is_staff_with

if TYPE_CHECKING:
    from django.db.models import QuerySet


def is_open() -> Q:
    """Those openings whose time isn't up."""
    return Q(ended_at=None, until__gt=timezone.now())


def of_present_owner() -> Q:
    """Those openings that are for the account's owner to know of: none from before it was handed over to them."""
    return Q(account__handed_over_at=None) | Q(opened_at__gte=F("account__handed_over_at"))


def may_open(user: Any) -> bool:
    """Whether ``user`` is staff with the permission. Asked each time that they are shown something: whoever loses
    it, or is deactivated, sees nothing from then on. No query for people who aren't staff."""
    return not is_deactivated(user) and is_staff_with(user, "mailaccounts.open_mail")


def openable_by(user: Any) -> QuerySet[MailAccount]:
    """The accounts that ``user`` may open: those of others, unless their mail is on its way out."""
    if not may_open(user):
        return MailAccount.objects.none()
    return MailAccount.objects.exclude(status_code=ERASING).exclude(owner=user)


def openings_by(user: Any) -> QuerySet[BreakGlass]:
    """What lets ``user`` look at this moment, in which account."""
    if not may_open(user):
        return BreakGlass.objects.none()
    return BreakGlass.objects.filter(is_open(), viewer=user, account__in=openable_by(user))


def opened_by(user: Any) -> QuerySet[MailAccount]:
    """The accounts whose mail that is."""
    return MailAccount.objects.filter(pk__in=openings_by(user).values("account"))


def openings_of(account: MailAccount) -> QuerySet[BreakGlass]:
    """Whoever opened an account since it is its owner's, newest first, each with the number ``looked`` at. Ask only
    for accounts that the user oversees."""
    found = (
        BreakGlass.objects.filter(of_present_owner(), account=account)
        .select_related("viewer")
        .annotate(looked=Count("looks"))
    )
    return found.order_by("-opened_at", "-pk")


def looking_now(owner: Any) -> QuerySet[BreakGlass]:
    """Who may look at this moment, in whichever of the owner's accounts; nobody who can't sign in any more."""
    found = BreakGlass.objects.filter(is_open(), of_present_owner(), account__owner=owner, viewer__isnull=False)
    found = found.exclude(deactivated("viewer__")).select_related("viewer", "account")
    return found.order_by("until", "pk")
