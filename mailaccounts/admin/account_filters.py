"""What a list of accounts is narrowed down by. None of them asks the database what there is to choose from."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from mailaccounts import presets
from mailaccounts.admin.account_states import STATES
from mailaccounts.admin.filters import Choice
from mailaccounts.backends.registry import backends
from mailaccounts.conf import settings
from mailaccounts.errors import Remedy
from mailaccounts.models import Credential, CredentialState
from mailaccounts.services.limits.lease import AT_WORK, PAUSED
from mailaccounts.services.registering import clients
from mailaccounts.services.running.figures import PAUSE
from mailaccounts.services.trail.remedies import WORDS, codes_of

if TYPE_CHECKING:
    from collections.abc import Iterable

LATE = timedelta(minutes=15)
SILENT = timedelta(days=1)


class State(Choice):
    title, parameter_name = "state", "state"

    def choose(self) -> Iterable[tuple[str, Any]]:
        return STATES

    def narrow(self, value: str) -> Q:
        return PAUSED if value == PAUSE else Q(status=value) & ~PAUSED


class Course(Choice):
    title, parameter_name = "how it goes", "course"

    def choose(self) -> Iterable[tuple[str, Any]]:
        return (
            ("failing", "Failing"),
            ("late", "Behind its turn by 15 minutes"),
            ("silent", "Not synced for a day"),
            ("not_begun", "Its owner hasn't said how far back"),
        )

    def narrow(self, value: str) -> Q:
        now = timezone.now()
        meaning = {
            "failing": Q(failures__gt=0),
            "late": AT_WORK & Q(next_sync_at__lt=now - LATE),
            "silent": AT_WORK & (Q(last_sync_at__lt=now - SILENT) | Q(last_sync_at__isnull=True)),
            "not_begun": Q(begun=False),
        }
        return meaning.get(value, Q())


class SignsInWith(Choice):
    title, parameter_name = "what it signs in with", "sign_in"

    def choose(self) -> Iterable[tuple[str, Any]]:
        yield from ((slug, each.label) for slug, each in backends().items())
        yield "none", "Nothing"

    def narrow(self, value: str) -> Q:
        active = Credential.objects.filter(account=OuterRef("pk"), state=CredentialState.ACTIVE)
        return Q(~Exists(active)) if value == "none" else Q(Exists(active.filter(backend=value)))


class Provider(Choice):
    """Whose mail server it is, as far as people can sign in there with OAuth."""

    title, parameter_name = "provider", "provider"

    def choose(self) -> Iterable[tuple[str, Any]]:
        yield from ((slug, clients.label(slug)) for slug in _hosts())
        yield "other", "Others"

    def narrow(self, value: str) -> Q:
        hosts = _hosts()
        if value == "other":
            return ~Q(imap_host__in=[host for each in hosts.values() for host in each])
        return Q(imap_host__in=hosts.get(value, ()))


class Helps(Choice):
    """Who has to do something, if anyone."""

    title, parameter_name = "what helps", "remedy"

    def choose(self) -> Iterable[tuple[str, Any]]:
        return ((remedy.value, words) for remedy, words in WORDS.items())

    def narrow(self, value: str) -> Q:
        return Q(status_code__in=codes_of(Remedy(value))) if value in set(Remedy) else Q()


def _hosts() -> dict[str, list[str]]:
    """The names of mail servers by OAuth provider."""
    found: dict[str, list[str]] = {}
    for preset in (*settings.extra_presets, *presets.PRESETS):
        if preset.provider and preset.imap:
            found.setdefault(preset.provider, []).extend({preset.imap.host, *preset.imap_hosts})
    return found
