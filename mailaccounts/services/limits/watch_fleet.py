"""The watchers that are alive, and how many accounts each of them is to have, so that all have the same.

A watcher is alive until its lease runs out, which the database's clock ends: a sign of life is one row, however many
accounts it watches.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Exists, OuterRef, Q
from django.db.models.functions import Now

from mailaccounts.models import Lookout, MailAccount
from mailaccounts.rules.watching import fair_shares
from mailaccounts.services.limits import claims

if TYPE_CHECKING:
    from collections.abc import Collection

LEASE_SECONDS = 20  # a watcher that is silent for longer has lost its accounts to whoever takes them
BEAT_SECONDS = 5.0  # between two signs of life, and two looks for accounts to take
GONE = timedelta(minutes=1)  # after its lease a watcher isn't coming back, and nobody has taken over from it

UNWATCHED = Q(watcher="") | ~Q(Exists(Lookout.objects.filter(token=OuterRef("watcher"), until__gt=Now())))
ABANDONED = ~Q(watcher="") & ~Q(Exists(Lookout.objects.filter(token=OuterRef("watcher"), until__gt=Now() - GONE)))


def report(watcher: str, *, most: int, out_of_reach: Collection[str] = (), free: int = 0) -> None:
    """Gives a sign of life: this watcher has its accounts for a while again, and can have ``most`` of them. Where
    servers are ``out_of_reach`` of it, it can't have more than the ``free`` ones and those watched elsewhere."""
    if out_of_reach:
        most = min(most, MailAccount.objects.exclude(UNWATCHED).exclude(imap_host__in=out_of_reach).count() + free)
    alive: dict[str, Any] = {"most": most, "until": claims.lasting(LEASE_SECONDS)}
    if not Lookout.objects.filter(token=watcher).update(**alive):
        Lookout.objects.create(token=watcher, **alive)
    Lookout.objects.filter(until__lt=Now() - GONE).delete()


def share(watcher: str, *, free: int) -> int:
    """How many accounts this watcher is to have, when ``free`` ones are there to be taken."""
    watched = MailAccount.objects.exclude(UNWATCHED).values_list("watcher").annotate(count=Count("pk")).order_by()
    held = dict(watched)
    alive = Lookout.objects.filter(until__gt=Now()).values_list("token", "most")
    shares = fair_shares(sum(held.values()) + free, {token: (most, held.get(token, 0)) for token, most in alive})
    return shares.get(watcher, 0)


def leave(watcher: str) -> None:
    """This watcher is no more."""
    Lookout.objects.filter(token=watcher).delete()
