"""Which accounts a watcher watches: claimed by conditional UPDATE, and its own while it is alive (watch_fleet).

Only accounts whose last sync went well are watched: whatever is wrong with one, a sync finds out and judges.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Count, F, Q
from django.utils import timezone

from mailaccounts.models import AccountStatus, CredentialState, MailAccount
from mailaccounts.services.connecting.departures import of_departed_owners
from mailaccounts.services.limits.watch_fleet import ABANDONED, UNWATCHED
from mailaccounts.services.syncing.outcome import next_turn

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from django.db.models import QuerySet

HEALTHY = Q(status=AccountStatus.OK, paused_at__isnull=True, credentials__state=CredentialState.ACTIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watchable:
    """An account as a watcher sees it. ``sign_in`` changes with the server or the credential; ``active`` is when mail
    last came, in seconds of the epoch: the larger, the more it matters."""

    pk: int
    host: str
    sign_in: int
    active: float


def claim(watcher: str, *, most: int, except_hosts: Collection[str], except_ids: Collection[int]) -> list[Watchable]:
    """Takes accounts that nobody watches, those first that had mail last."""
    unwatched = _free(except_hosts, except_ids)
    return _take(watcher, unwatched.order_by(F("last_mail_at").desc(nulls_last=True), "pk")[:most])


def free(*, except_hosts: Collection[str], except_ids: Collection[int]) -> int:
    """How many accounts there are to be taken."""
    return _free(except_hosts, except_ids).count()


def claim_livelier(watcher: str, *, host: str, than: float, most: int, except_ids: Collection[int]) -> list[Watchable]:
    """Takes accounts at ``host`` that had mail later than the instant ``than``."""
    livelier = Q(imap_host=host, last_mail_at__gt=datetime.fromtimestamp(than, tz=UTC))
    unwatched = _free((), except_ids).filter(livelier)
    return _take(watcher, unwatched.order_by("-last_mail_at")[:most])


def held(watcher: str) -> dict[int, Watchable]:
    """The accounts that are still this watcher's and to be watched."""
    return {each.pk: each for each in _seen(_watchable().filter(watcher=watcher))}


def others(watcher: str, hosts: Collection[str]) -> dict[str, int]:
    """How many accounts other watchers have at each of these servers."""
    theirs = MailAccount.objects.filter(imap_host__in=hosts).exclude(UNWATCHED).exclude(watcher=watcher)
    return dict(theirs.values_list("imap_host").annotate(count=Count("pk")).order_by())


def release(watcher: str, ids: Iterable[int]) -> None:
    """Lets go of accounts, which are polled again as usual."""
    _let_go(Q(watcher=watcher, pk__in=list(ids)))


def release_lost() -> None:
    """Lets go of accounts whose watcher is gone and that no other has taken over."""
    _let_go(ABANDONED)


def _watchable() -> QuerySet[MailAccount]:
    return MailAccount.objects.filter(HEALTHY).exclude(of_departed_owners())


def _free(except_hosts: Collection[str], except_ids: Collection[int]) -> QuerySet[MailAccount]:
    return _watchable().filter(UNWATCHED).exclude(imap_host__in=except_hosts).exclude(pk__in=except_ids)


def _take(watcher: str, wanted: QuerySet[MailAccount]) -> list[Watchable]:
    with transaction.atomic():
        locked = wanted.only("pk").select_for_update(skip_locked=True, of=("self",))
        taken = MailAccount.objects.filter(pk__in=[account.pk for account in locked])
        taken.update(watcher=watcher)
        return list(_seen(taken.filter(HEALTHY)))


def _seen(accounts: QuerySet[MailAccount]) -> Iterable[Watchable]:
    columns = ("pk", "imap_host", "imap_port", "imap_security", "credentials__pk", "last_mail_at")
    for pk, host, port, security, credential, active in accounts.values_list(*columns):
        yield Watchable(
            pk=pk,
            host=host,
            sign_in=hash((host, port, security, credential)),
            active=active.timestamp() if active else 0.0,
        )


def _let_go(whose: Q) -> None:
    now, sooner = timezone.now(), []
    with transaction.atomic():
        columns = ("next_sync_at", "last_mail_at", "created_at")
        accounts = list(MailAccount.objects.filter(whose).only(*columns).select_for_update())
        MailAccount.objects.filter(pk__in=[each.pk for each in accounts]).update(watcher="")
        for account in accounts:
            account.watcher = ""
            turn = next_turn(account, now)
            if account.next_sync_at is not None and account.next_sync_at > turn:
                account.next_sync_at = turn
                sooner.append(account)
        MailAccount.objects.bulk_update(sooner, ["next_sync_at"], batch_size=500)
