"""The settings: one ``MAILACCOUNTS`` dict, read as a frozen object and dropped when Django says it changed.

docs/settings.md describes every key. ``problems`` finds what is wrong with a dict, without failing on it; checks.py
reports that when Django starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from mailaccounts.crypto import Key, PublicKey, SecretBox
from mailaccounts.mail.idle import LONGEST_RENEWAL
from mailaccounts.mail.network import Network
from mailaccounts.mail.types import Limits
from mailaccounts.presets import load_extra

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailaccounts.presets import ProviderPreset

SHORTEST_SECRET = 32  # characters
DEPARTED_MAIL = ("keep", "hand_over", "erase")
NEW_KEY = 'python -c "import base64, os; print(base64.b64encode(os.urandom(32)).decode())"'


@dataclass(frozen=True)
class Settings:
    """Every setting with its default. Keys of the dict are these names in upper case."""

    backends: tuple[str, ...] = (
        "mailaccounts.backends.password.PasswordBackend",
        "mailaccounts.backends.app_password.AppPasswordBackend",
        "mailaccounts.backends.xoauth2.XOAuth2Backend",
        "mailaccounts.backends.app_only.AppOnlyBackend",
    )
    secret_keys: tuple[str, ...] = field(default=(), repr=False)  # base64 of 32 bytes; first seals, all open
    receipt_keys: tuple[str, ...] = ()  # public keys of earlier secret keys, whose receipts are still believed
    hooks: str = "mailaccounts.hooks.Hooks"  # what the host decides
    departed_mail: str = "keep"  # what becomes of the mail of users who are deactivated: one of DEPARTED_MAIL
    site_url: str = ""  # of the CRM, as people reach it: for links in mail
    alarm_jobs: int = 500  # that wait for a worker, from which on that is an alarm
    alarm_lag_seconds: int = 900  # that five of a hundred accounts may be behind their turn, or it is one
    webhook_url: str = ""  # that is told what happens here
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)  # that sign what it is told: each of them does
    webhook_days: int = 14  # that deliveries are remembered
    metrics_token: str = field(default="", repr=False)  # that Prometheus brings; without one there are no metrics
    clients: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)  # app registrations
    ca_bundle: str = ""  # PEM file trusted beside the system's, for mail servers and identity providers
    allow_private_hosts: tuple[str, ...] = ()  # addresses or networks that may be private, on any port
    allow_ports: tuple[int, ...] = (143, 465, 587, 993)
    presets_file: str = ""  # JSON with the operator's own provider presets
    first_sync_days: int = 365  # history a new account starts with, unless chosen otherwise
    sync_interval: int = 60  # seconds between two syncs of an account that mail came to just now
    sync_interval_max: int = 3600  # and of one that none comes to
    sync_budget: int = 120  # seconds one sync may take before it yields to the next task
    lease_seconds: int = 180  # a worker that is silent for longer has lost its account
    header_batch: int = 1000  # messages whose headers are looked at together
    body_batch_bytes: int = 2**20  # bodies are fetched in batches of about this size, longer messages part by part
    max_message_bytes: int = 25 * 2**20  # longer messages are stored cut off at this
    max_outgoing_bytes: int = 35 * 2**20  # longer messages aren't sent, whatever the provider takes
    send_days: int = 2  # after which a message that couldn't be sent is given up
    email_account: str = ""  # address of the account that the host's own mail goes out through
    watch_connections: int = 10_000  # mailboxes that one watcher watches at most
    watch_renew_seconds: int = 540  # that an IDLE lasts: routers forget a silent connection after ten minutes or so
    watch_logins_per_second: int = 20  # at one mail server
    expunged_days: int = 7  # how long mail that is gone from its mailbox is kept, in case it was only moved
    moves_at_once: int = 8  # mailboxes of one mail server that campaigns prove at the same time, on all workers
    compared_daily: int = 20  # mailboxes whose mail is compared with what is stored of it, each day
    polls_at_once: int = 16  # accounts that one worker syncs at the same time, when many are due
    breaker_failures: int = 5  # sign-ins in a row that a server didn't answer, until they are tried one at a time
    open_mail_minutes: int = 240  # that staff may look at somebody's mail, at most, for one reason
    connection_tests: int = 20  # connections one user may try out in ten minutes
    invitation_days: int = 7  # how long the link in an invitation is good
    reminder_days: int = 2  # between an invitation and its reminders
    retire_days: int = 7  # how long a retired credential is kept for rolling back, at least
    retire_syncs: int = 3  # and how many clean syncs in a row the new one has to have had by then

    @classmethod
    def load(cls, raw: Mapping[str, Any]) -> Settings:
        """Reads the dict; ImproperlyConfigured for keys and values that a check would have reported."""
        for problem in _shape(raw):
            raise ImproperlyConfigured(f"{problem.what} {problem.fix}")
        values: dict[str, Any] = {}
        for key, value in raw.items():
            values[key.lower()] = tuple(value) if isinstance(value, list) else value
        return cls(**values)

    @cached_property
    def box(self) -> SecretBox:
        """The vault over ``secret_keys``; ImproperlyConfigured for a key that can't be used."""
        try:
            return SecretBox([Key.parse(text) for text in self.secret_keys])
        except ValueError as error:
            raise ImproperlyConfigured(f"MAILACCOUNTS_SECRET_KEYS: {error}.") from None

    @cached_property
    def trusted_keys(self) -> frozenset[PublicKey]:
        """The public keys whose signatures are ours; ValueError for an entry of ``receipt_keys`` that is none."""
        return frozenset((*self.box.public_keys, *map(PublicKey.parse, self.receipt_keys)))

    @cached_property
    def network(self) -> Network:
        """Which hosts may be reached and whom to trust; ValueError for an entry that can't be used."""
        return Network.from_text(
            allow=self.allow_private_hosts,
            ports=self.allow_ports,
            ca_bundle=self.ca_bundle,
            limits=Limits(session_seconds=self.lease_seconds),  # however slow the server: it ends before its lease
        )

    @cached_property
    def extra_presets(self) -> tuple[ProviderPreset, ...]:
        """The installation's own provider presets, which go before ours; ValueError for a file that can't be used."""
        return load_extra(self.presets_file)


@lru_cache(maxsize=1)
def load() -> Settings:
    return Settings.load(getattr(django_settings, "MAILACCOUNTS", {}))


class _Current:
    """Stands for the settings in force; ``settings.x`` reads them at the moment of use."""

    def __getattr__(self, name: str) -> Any:
        return getattr(load(), name)


if TYPE_CHECKING:
    settings: Settings
else:
    settings = _Current()


def _forget(*, setting: str, **_: Any) -> None:
    if setting == "MAILACCOUNTS":
        load.cache_clear()


setting_changed.connect(_forget, dispatch_uid="mailaccounts.conf")


# --- what may be wrong -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong in the settings: ``code`` is the number of the system check, ``fix`` what to do, in words."""

    code: str
    what: str
    fix: str


def problems(raw: Any) -> Iterator[Problem]:
    """Everything wrong with a MAILACCOUNTS dict that can be told without the rest of the app."""
    shape = list(_shape(raw))
    yield from shape
    if shape:
        return  # the values can't be relied on for more
    settings = Settings.load(raw)
    yield from _keys(settings)
    yield from _files_and_hosts(settings)
    yield from _numbers(settings)
    yield from _clients(settings)


def _shape(raw: Any) -> Iterator[Problem]:
    if not isinstance(raw, Mapping):
        yield Problem(code="E001", what="MAILACCOUNTS is not a dict.", fix="docs/settings.md shows its keys.")
        return
    defaults = {f.name.upper(): getattr(Settings(), f.name) for f in fields(Settings)}
    for key, value in raw.items():
        if key not in defaults:
            yield Problem(
                code="E001",
                what=f"MAILACCOUNTS has an unknown key: {key!r}.",
                fix=f"Remove it or correct its spelling; the keys are {', '.join(defaults)}.",
            )
        elif wanted := _expected(defaults[key], value):
            yield Problem(code="E001", what=f"MAILACCOUNTS[{key!r}] can't be used.", fix=f"It must be {wanted}.")


def _expected(default: Any, value: Any) -> str:
    """What kind of value is expected, or "" when ``value`` is of it."""
    if isinstance(default, int):
        return "" if type(value) is int else "a whole number"
    if isinstance(default, str):
        return "" if isinstance(value, str) else "text"
    if isinstance(default, tuple):
        kind = int if default and isinstance(default[0], int) else str
        fits = isinstance(value, (list, tuple)) and all(isinstance(each, kind) for each in value)
        return "" if fits else f"a list of {'whole numbers' if kind is int else 'texts'}"
    fits = isinstance(value, Mapping) and all(isinstance(each, Mapping) for each in value.values())
    return "" if fits else "a dict with one dict for each provider"


def _keys(settings: Settings) -> Iterator[Problem]:
    fix = f"Make a new key and put it first in MAILACCOUNTS_SECRET_KEYS: {NEW_KEY}"
    if not settings.secret_keys:
        yield Problem(code="E002", what="MAILACCOUNTS has no SECRET_KEYS: nothing can be sealed.", fix=fix)
    seen: set[str] = set()
    for number, text in enumerate(settings.secret_keys, start=1):
        try:
            key_id = Key.parse(text).key_id
        except ValueError as error:
            yield Problem(code="E003", what=f"Key {number} of SECRET_KEYS can't be used: {error}.", fix=fix)
            continue
        if key_id in seen:
            yield Problem(
                code="E004",
                what=f"Key {number} of SECRET_KEYS is there twice.",
                fix="Remove the second one; a rotation needs a new key, put first.",
            )
        seen.add(key_id)
    for number, text in enumerate(settings.receipt_keys, start=1):
        try:
            PublicKey.parse(text)
        except ValueError as error:
            what = f"Entry {number} of RECEIPT_KEYS can't be used: {error}."
            yield Problem(code="E003", what=what, fix="manage.py receipt_keys prints them.")


def _files_and_hosts(settings: Settings) -> Iterator[Problem]:
    def network(*, allow: Sequence[str] = (), ports: Sequence[int] = (), ca_bundle: str = "") -> str:
        """What is wrong with a piece of the network's settings, or ""."""
        try:
            Network.from_text(allow=allow, ports=ports, ca_bundle=ca_bundle, limits=Limits())
        except ValueError as error:
            return f"{error}."
        return ""

    if wrong := network(ca_bundle=settings.ca_bundle):
        yield Problem(code="E007", what=wrong, fix="Correct MAILACCOUNTS_CA_BUNDLE, or leave it empty.")
    if settings.site_url and not settings.site_url.startswith(("https://", "http://")):
        yield Problem(code="E019", what="SITE_URL isn't the address of a site.", fix="Write it as https://HOST.")
    yield from _webhook(settings)
    if settings.departed_mail not in DEPARTED_MAIL:
        what = f"MAILACCOUNTS['DEPARTED_MAIL'] is {settings.departed_mail!r}."
        yield Problem(code="E001", what=what, fix=f"It must be one of {', '.join(DEPARTED_MAIL)}.")
    for entry in settings.allow_private_hosts:
        if wrong := network(allow=[entry]):
            yield Problem(code="E009", what=wrong, fix="Correct MAILACCOUNTS_ALLOW_PRIVATE_HOSTS.")
    for port in settings.allow_ports:
        if wrong := network(ports=[port]):
            yield Problem(code="E010", what=wrong, fix='Correct MAILACCOUNTS["ALLOW_PORTS"].')
    try:
        load_extra(settings.presets_file)
    except ValueError as error:
        fix = "Correct the file MAILACCOUNTS_PRESETS_FILE names; docs/providers.md shows the format."
        yield Problem(code="E008", what=f"{error}.", fix=fix)


def _webhook(settings: Settings) -> Iterator[Problem]:
    url, secrets = settings.webhook_url, settings.webhook_secrets
    if not url:
        return
    if not is_https(url.partition("?")[0]) or "#" in url or not url.isascii():
        yield Problem(code="E020", what="WEBHOOK_URL isn't an https address.", fix="Write it as https://HOST/PATH.")
    if not secrets or any(len(each) < SHORTEST_SECRET for each in secrets):
        yield Problem(
            code="E021",
            what="WEBHOOK_SECRETS is empty, or one of them is short: anybody could sign what the webhook is told.",
            fix=f"Make each {SHORTEST_SECRET} characters or longer, with Python's secrets.token_hex() say.",
        )


def _numbers(settings: Settings) -> Iterator[Problem]:
    for each in fields(settings):
        value = getattr(settings, each.name)
        if type(value) is int and value < 1:
            yield Problem(
                code="E011", what=f"MAILACCOUNTS[{each.name.upper()!r}] is {value}.", fix="It must be 1 or more."
            )
    if settings.sync_interval_max < settings.sync_interval:
        yield Problem(
            code="E011",
            what="SYNC_INTERVAL_MAX is shorter than SYNC_INTERVAL.",
            fix="Make it as long at least; accounts that no mail comes to are looked at as rarely as that.",
        )
    if settings.lease_seconds <= settings.sync_budget:
        yield Problem(
            code="E011",
            what="LEASE_SECONDS is not longer than SYNC_BUDGET: a second worker could take an account in use.",
            fix="Make LEASE_SECONDS longer, or SYNC_BUDGET shorter.",
        )
    if settings.watch_renew_seconds > LONGEST_RENEWAL:
        yield Problem(
            code="E011",
            what="WATCH_RENEW_SECONDS is more than 29 minutes: mail servers may log out whoever waits for longer.",
            fix=f"Make it {LONGEST_RENEWAL} or less.",
        )


def _clients(settings: Settings) -> Iterator[Problem]:
    for provider, client in settings.clients.items():
        authority, prefix = client.get("authority", ""), provider.upper()
        variables = {
            "client_id": f"{prefix}_CLIENT_ID",
            "client_secret": f"{prefix}_CLIENT_SECRET",
            "authority": f"{prefix}_ISSUER" if provider == "oidc" else f"{prefix}_AUTHORITY",
        }
        missing = [variable for key, variable in variables.items() if not client.get(key)]
        if missing and (client.get("client_id") or client.get("client_secret")):
            yield Problem(
                code="E014",
                what=f"The app registration for {provider} is incomplete.",
                fix=f"Set {' and '.join(missing)} as well, or nothing of it.",
            )
        if (day := client.get("secret_expires_on")) and not _is_day(day):
            yield Problem(
                code="E014",
                what=f"{day!r} is not the day on which the secret of {provider} ends.",
                fix=f"Write {prefix}_CLIENT_SECRET_EXPIRES as YYYY-MM-DD, or leave it empty.",
            )
        if authority and not is_https(authority):
            yield Problem(
                code="E014",
                what=f"The authority of {provider} is not an https address.",
                fix=f"Correct {variables['authority']}; secrets are sent there.",
            )


def _is_day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def is_https(url: str) -> bool:
    """Whether ``url`` can be an authority or issuer: no query, no fragment (OpenID Connect Discovery §2)."""
    try:
        parts = urlsplit(url)
        usable = parts.port is None or parts.port > 0
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or parts.username) and url.isprintable() and " " not in url
    return usable and plain and parts.scheme == "https" and bool(parts.hostname)
