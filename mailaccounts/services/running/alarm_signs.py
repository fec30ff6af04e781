"""What is wrong with the installation itself just now: each sign asks for one thing, says it in words with the next
step, and names no address. A handful of queries, however many accounts there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.core.cache import cache
from django.db.models import Count, Q
from django.utils import timezone

from mailaccounts import __version__, queue
from mailaccounts.conf import settings
from mailaccounts.errors import CanaryMissing, OrganisationSwitchedOff
from mailaccounts.models import AlarmKind, MailAccount, OAuthClient, TenantAccess
from mailaccounts.services.registering.secret_expiry import expiring
from mailaccounts.services.running.situation import BY_ITSELF
from mailaccounts.services.signing_in import server_certificates
from mailaccounts.services.telling import troubles, webhook
from mailaccounts.services.trail import beats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SILENT = 180  # seconds without a tick, or a watcher's sign of life
LATE_SHARE = 20  # one account in so many is what p95 leaves out


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    kind: AlarmKind
    words: str
    subject: str = ""


def all_signs() -> Iterator[Sign]:
    """What is wrong now."""
    for sign in _SIGNS:
        yield from sign()


def _broker() -> Iterator[Sign]:
    try:
        jobs = queue.waiting()
    except Exception:  # noqa: BLE001 - every broker has errors of its own
        words = "The queue's broker can't be reached: nothing is synced or sent. Start Redis, or correct REDIS_URL."
        yield Sign(kind=AlarmKind.BROKER, words=words)
        return
    if jobs >= settings.alarm_jobs:
        words = f"{jobs} jobs wait for a worker. See whether workers are stuck, or start more of them."
        yield Sign(kind=AlarmKind.QUEUE, words=words)


def _cache() -> Iterator[Sign]:
    try:
        cache.set("mailaccounts.alarms", 1, 10)
        works = cache.get("mailaccounts.alarms") == 1
    except Exception:  # noqa: BLE001 - every cache has errors of its own
        works = False
    if not works:
        words = "The cache can't be used: limits hold for each process by itself. See Redis and the setting CACHES."
        yield Sign(kind=AlarmKind.CACHE, words=words)


def _workers() -> Iterator[Sign]:
    ago = beats.seconds_since(beats.TICK)
    if ago is not None and ago > SILENT:
        words = "No worker has ticked for minutes. See whether manage.py qcluster runs, and its log."
        yield Sign(kind=AlarmKind.WORKERS, words=words)


def _processes() -> Iterator[Sign]:
    """Watchers that fell silent and that no other stands in for, and processes of another version."""
    found = list(beats.processes())
    watchers = [each for each in found if each.name.startswith(beats.WATCHER)]
    silent = [each for each in watchers if each.ago > timedelta(seconds=SILENT)]
    if silent and len(silent) == len(watchers):
        words = "The watcher is gone without having been stopped: mail is polled meanwhile. Start watch_mailboxes."
        yield Sign(kind=AlarmKind.WATCHER, words=words)
    others = {each.version for each in found if each.ago <= beats.ALIVE} - {__version__, ""}
    for version in sorted(others):
        kinds = sorted({each.name.partition(" ")[0] for each in found if each.version == version})
        words = f"A process ({', '.join(kinds)}) runs version {version} beside {__version__}. Restart what is older."
        yield Sign(kind=AlarmKind.VERSION, subject=version, words=words)


def _lag() -> Iterator[Sign]:
    late = timezone.now() - timedelta(seconds=settings.alarm_lag_seconds)
    rows = MailAccount.objects.filter(BY_ITSELF)
    counted = rows.aggregate(all=Count("pk"), late=Count("pk", filter=Q(next_sync_at__lt=late)))
    if counted["late"] * LATE_SHARE > counted["all"]:
        words = f"{counted['late']} of {counted['all']} accounts are behind their turn for long. Start more workers."
        yield Sign(kind=AlarmKind.LAG, words=words)


def _troubles() -> Iterator[Sign]:
    if troubles.met_at(troubles.DISK):
        words = "Work was broken off because there is no room, on the database's machine or a worker's. Make room."
        yield Sign(kind=AlarmKind.DISK, words=words)
    if troubles.met_at(troubles.DATABASE):
        words = "The database broke off work: it restarted, say, or refuses connections. See its log if this goes on."
        yield Sign(kind=AlarmKind.DATABASE, words=words)


def _registrations() -> Iterator[Sign]:
    for client in OAuthClient.objects.filter(alarm_at__isnull=False).only("name", "alarm_code"):
        words = f"The app registration “{client.name}” doesn't work ({client.alarm_code}). Verify it in the admin."
        yield Sign(kind=AlarmKind.CLIENT, subject=str(client.pk), words=words)
    for client, expiry in expiring():
        words = f"The secret of “{client.name}” {expiry}. Enter the next one in the admin."
        yield Sign(kind=AlarmKind.SECRET, subject=str(client.pk), words=words)


def _canaries() -> Iterator[Sign]:
    off = TenantAccess.objects.filter(is_on=False).exclude(canary="").exclude(code="")
    for access in off.exclude(code__in=(OrganisationSwitchedOff.code, CanaryMissing.code)).only("code"):
        words = f"An organisation's access is off ({access.code}): its canary or consent failed. See the admin."
        yield Sign(kind=AlarmKind.CANARY, subject=str(access.pk), words=words)


def _certificates() -> Iterator[Sign]:
    for each in server_certificates.ending():
        if each.is_near:
            day = timezone.localdate(each.on).isoformat()
            words = f"The certificate of {each.server} ends on {day}. From then on nothing is read there: renew it."
            yield Sign(kind=AlarmKind.CERTIFICATE, subject=each.server, words=words)


def _webhook() -> Iterator[Sign]:
    if settings.webhook_url and webhook.is_given_up():
        words = "The webhook's target hasn't taken a delivery for a day: it was given up. See its status in the admin."
        yield Sign(kind=AlarmKind.WEBHOOK, words=words)


_SIGNS: tuple[Callable[[], Iterator[Sign]], ...] = (
    *(_broker, _cache, _workers, _processes, _lag, _troubles, _registrations, _canaries, _certificates, _webhook),
)
