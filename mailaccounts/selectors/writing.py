"""What is written here: from which accounts, by whom, with which files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Case, Prefetch, Value, When
from django.db.models.functions import Length

from mailaccounts.hooks import hooks
from mailaccounts.models import UNDECIDED, AccountStatus, Alias, Enclosed, Outgoing
from mailaccounts.selectors.accounts import mailboxes_of

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from mailaccounts.models import MailAccount


def senders_for(user: Any) -> QuerySet[MailAccount]:
    """The accounts ``user`` may write from, those that can send first."""
    usable = (
        mailboxes_of(user)
        .exclude(status=AccountStatus.DISCONNECTED)
        .order_by(Case(When(smtp_host="", then=Value(1)), default=Value(0)), "address")
    )
    managed = [each.pk for each in usable if hooks().can_manage(user, each)]
    return usable.filter(pk__in=managed).prefetch_related(
        Prefetch("aliases", Alias.objects.filter(proven_at__isnull=False))
    )


def outgoing_for(user: Any) -> QuerySet[Outgoing]:
    """What ``user`` writes, and has written, from their own accounts; nobody else sees it."""
    if not user.is_authenticated:
        return Outgoing.objects.none()
    return Outgoing.objects.filter(author=user, account__in=mailboxes_of(user))


def undecided(user: Any) -> QuerySet[Outgoing]:
    """What of it wants to be decided about."""
    return outgoing_for(user).filter(UNDECIDED)


def enclosed_in(message: Outgoing) -> QuerySet[Enclosed]:
    """The files that go along with a message, each with its ``size`` and without its bytes."""
    return files().filter(outgoing=message)


def files() -> QuerySet[Enclosed]:
    """All of them, each with its ``size`` and without its bytes."""
    return Enclosed.objects.defer("content").annotate(size=Length("content"))
