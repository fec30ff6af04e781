"""Providers as data, and the way from an address to its servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailaccounts.presets.extra import load_extra
from mailaccounts.presets.known import PRESETS
from mailaccounts.presets.preset import CredentialEnd, ProviderLimits, ProviderPreset, UsernameForm

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = [
    "PRESETS",
    "CredentialEnd",
    "ProviderLimits",
    "ProviderPreset",
    "UsernameForm",
    "find",
    "for_exchangers",
    "for_host",
    "for_mailbox",
    "for_provider",
    "hosting",
    "load_extra",
]


def find(address: str, *, extra: Sequence[ProviderPreset] = ()) -> ProviderPreset | None:
    """The provider of ``address`` by its domain; ``extra`` goes first."""
    domain = address.strip().rpartition("@")[2].rstrip(".").lower()
    return next((preset for preset in (*extra, *PRESETS) if domain in preset.domains), None)


def for_host(imap_host: str, *, extra: Sequence[ProviderPreset] = ()) -> ProviderPreset | None:
    """The provider that runs ``imap_host``; ``extra`` goes first."""
    host = imap_host.strip().rstrip(".").lower()
    known = (*extra, *PRESETS)
    return next((preset for preset in known if host in (*_imap_host(preset), *preset.imap_hosts)), None)


def for_mailbox(address: str, imap_host: str, *, extra: Sequence[ProviderPreset] = ()) -> ProviderPreset | None:
    """The provider of a mailbox: by its address if that provider runs ``imap_host``, else by the host, else by the
    address alone; ``extra`` goes first."""
    by_address = find(address, extra=extra)
    if by_address and imap_host.strip().rstrip(".").lower() in (*_imap_host(by_address), *by_address.imap_hosts):
        return by_address
    return for_host(imap_host, extra=extra) or by_address


def for_provider(provider: str, *, extra: Sequence[ProviderPreset] = ()) -> ProviderPreset | None:
    """Whose mail server an organisation with this OAuth provider has; ``extra`` goes first."""
    known = (*extra, *PRESETS)
    return next((preset for preset in known if preset.provider == provider and preset.imap), None)


def hosting(providers: Collection[str], *, extra: Sequence[ProviderPreset] = ()) -> list[ProviderPreset]:
    """Who runs mail for domains of others and lets people sign in with one of these OAuth providers; one for each mail
    server."""
    known = [preset for preset in (*extra, *PRESETS) if preset.imap and preset.mx and preset.provider in providers]
    return list({preset.imap: preset for preset in reversed(known)}.values())[::-1]


def for_exchangers(hosts: Sequence[str], *, extra: Sequence[ProviderPreset] = ()) -> ProviderPreset | None:
    """The provider of a domain by its mail exchangers, the most preferred first; ``extra`` goes first."""
    known = (*extra, *PRESETS)
    names = [host.strip().rstrip(".").lower() for host in hosts]
    return next((preset for name in names for preset in known if preset.exchanges_at(name)), None)


def _imap_host(preset: ProviderPreset) -> tuple[str, ...]:
    return (preset.imap.host,) if preset.imap else ()
