"""Mailboxes that one consent would connect, as far as can be told without asking anybody; hosts offer them."""

from __future__ import annotations

from typing import Any

from mailaccounts import selectors
from mailaccounts.conf import settings
from mailaccounts.presets import find
from mailaccounts.services.registering import clients

HOSTS_OWN_DOMAINS = ("microsoft", "google")  # who signs in there with an address of their own has its mailbox there


def is_providers_own(domain: str) -> bool:
    """Whether ``domain`` is one in which a mail provider gives addresses to its customers. Asks nobody."""
    return find(domain, extra=settings.extra_presets) is not None


def is_worth_offering(address: str, *, provider: str, user: Any) -> bool:
    """Whether somebody who signs in at ``provider`` as ``address`` has a mailbox there that isn't connected yet."""
    if "@" not in address or not clients.is_registered(provider):
        return False
    preset = find(address, extra=settings.extra_presets)
    at_home = preset.provider == provider if preset else provider in HOSTS_OWN_DOMAINS
    return at_home and not selectors.accounts_for(user).filter(address__iexact=address).exists()
