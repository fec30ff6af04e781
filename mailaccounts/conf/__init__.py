"""The settings: one ``MAILACCOUNTS`` dict, read as a frozen object and dropped when Django says it changed.

docs/settings.md describes every key. ``problems`` finds what is wrong with a dict, without failing on it; checks.py
reports that when Django starts.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from mailaccounts.conf.faults import Problem, of_shape, of_values
from mailaccounts.crypto import Key, PublicKey, SecretBox
from mailaccounts.mail.network import Network
from mailaccounts.mail.types import Limits
from mailaccounts.presets import load_extra

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mailaccounts.presets import ProviderPreset


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
    departed_mail: str = "keep"  # what becomes of the mail of users who are deactivated: kept, handed over or erased
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
        for problem in of_shape(raw, defaults=_defaults()):
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


def _defaults() -> dict[str, Any]:
    nothing_set = Settings()
    return {each.name.upper(): getattr(nothing_set, each.name) for each in fields(Settings)}


def problems(raw: Any) -> Iterator[Problem]:
    """Everything wrong with a MAILACCOUNTS dict that can be told without the rest of the app."""
    shape = list(of_shape(raw, defaults=_defaults()))
    yield from shape
    if not shape:  # else the values can't be relied on for more
        yield from of_values(Settings.load(raw))


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
