"""From an address alone to its mail servers: known domain → MX → SRV → autoconfig, within five seconds in all.

What a domain says of itself is shown to a person before a password goes there (RFC 6186 §6); nothing is connected to
here but, over https, the domain's own web hosts. Every host that is offered was judged by the host policy.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from mailaccounts.conf import settings
from mailaccounts.errors import InvalidInput, MailAccountsError
from mailaccounts.mail import autoconfig, records
from mailaccounts.mail.network import host_name
from mailaccounts.presets import find, for_exchangers, for_host, for_mailbox, hosting
from mailaccounts.services.limits.attempts import count_attempt
from mailaccounts.services.registering import clients

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailaccounts.mail.types import Endpoint
    from mailaccounts.models import MailAccount
    from mailaccounts.presets import ProviderPreset
    from mailaccounts.services.connecting.account_draft import AccountDraft

SECONDS = 5.0
DNS_SECONDS = 2.5  # of them: a resolver that doesn't answer leaves time for the web


class How(StrEnum):
    """Where the servers are from."""

    PRESET = "preset"  # the address's domain is a provider's own
    MX = "mx"  # the domain's mail goes to a provider we know
    SRV = "srv"  # the domain names them in the DNS
    AUTOCONFIG = "autoconfig"  # the domain describes them on the web
    TOLD = "told"  # somebody said whose customer the domain is
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What was found for an address: nothing to go on with unless ``imap``. ``username`` is the login name."""

    how: How
    imap: Endpoint | None = None
    smtp: Endpoint | None = None
    preset: ProviderPreset | None = None
    username: str = ""

    def stays_inside(self, address: str) -> bool:
        """Tells whether a password would go no further than the address's own domain or a provider we know."""
        if self.preset is not None:
            return True
        domain = address.rpartition("@")[2].lower()
        hosts = [endpoint.host.lower() for endpoint in (self.imap, self.smtp) if endpoint]
        return all(host == domain or host.endswith("." + domain) for host in hosts)


def provider_of(mailbox: MailAccount | AccountDraft) -> ProviderPreset | None:
    """Who runs the mailbox, if that is known. Asks nobody."""
    return for_mailbox(mailbox.address, mailbox.imap.host, extra=settings.extra_presets)


def smtp_of(mailbox: MailAccount | AccountDraft) -> Endpoint | None:
    """The server that the mailbox sends through, or would if it did more than read; None where that isn't known."""
    provider = provider_of(mailbox)
    return mailbox.smtp or (provider.smtp if provider else None)


def hosts() -> list[ProviderPreset]:
    """Whose customer a domain may be that doesn't say so, as where its mail goes through a filter first: those that
    people can be sent to for signing in."""
    return hosting({client.provider for client in clients.offered()}, extra=settings.extra_presets)


def told(address: str, host: str) -> Detection:
    """What is known of a mailbox once somebody said whose customer its domain is; ``host`` is a slug of ``hosts``."""
    preset = next((preset for preset in hosts() if preset.slug == host), None)
    return _preset(How.TOLD, preset, address) if preset else Detection(how=How.NONE)


def detect(address: str, *, user_id: int | None = None) -> Detection:
    """Finds the servers of ``address``. Asks the network only for a domain that no preset knows.

    With ``user_id`` that counts as an attempt of this user: TooManyAttempts. Never slower than ``SECONDS``.
    """
    known = find(address, extra=settings.extra_presets)
    if known is not None:
        return _preset(How.PRESET, known, address)
    domain = ascii_domain(address)
    if not domain:
        return Detection(how=How.NONE)
    if user_id is not None:
        count_attempt(user_id=user_id, host=domain)
    return _ask(address, domain, deadline=time.monotonic() + SECONDS)


def _ask(address: str, domain: str, *, deadline: float) -> Detection:
    told = records.ask(domain, deadline=deadline - SECONDS + DNS_SECONDS)
    if exchanged := for_exchangers(told.exchangers, extra=settings.extra_presets):
        return _preset(How.MX, exchanged, address)
    if imap := _allowed(told.imap, deadline):
        return _servers(How.SRV, imap, _allowed(told.smtp, deadline), address)
    described = autoconfig.look(address, domain, network=settings.network, deadline=deadline)
    if imap := _allowed(described.imap, deadline):
        smtp = _allowed(described.smtp, deadline)
        return _servers(How.AUTOCONFIG, imap, smtp, address, username=described.username)
    return Detection(how=How.NONE)


def _servers(how: How, imap: Endpoint, smtp: Endpoint | None, address: str, *, username: str = "") -> Detection:
    """Servers a domain named itself. Where IMAP is a known provider's, what we know of it goes before that."""
    if known := for_host(imap.host, extra=settings.extra_presets):
        return _preset(how, known, address)
    return Detection(how=how, imap=imap, smtp=smtp, username=username or address)


def _preset(how: How, preset: ProviderPreset, address: str) -> Detection:
    return Detection(how=how, imap=preset.imap, smtp=preset.smtp, preset=preset, username=preset.username_for(address))


def _allowed(endpoints: Iterable[Endpoint], deadline: float) -> Endpoint | None:
    """The first server that may be connected to, by its name, its port and where it is."""
    for endpoint in endpoints:
        try:
            settings.network.resolve(endpoint.host, endpoint.port, deadline=deadline)
        except MailAccountsError:
            continue
        return endpoint
    return None


def ascii_domain(address: str) -> str:
    """The domain in ASCII; "" for what isn't one: a single label is a name of our own network, digits an address."""
    try:
        domain = host_name(address.strip().rpartition("@")[2]).lower()
    except InvalidInput:  # UnsafeArgument is one
        return ""
    last = domain.rpartition(".")[2]
    return "" if ":" in domain or last == domain or last.isdigit() else domain
