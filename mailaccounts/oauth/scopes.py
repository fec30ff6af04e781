"""Scopes: each with its reason, and what of those asked for is missing in those granted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailaccounts.oauth.types import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

OFFLINE = "offline_access"
READ = "Read your mail, so that messages with your contacts appear in the CRM."
SEND = "Send mail as you, when you answer from the CRM."
READ_ALL = "Read the mailboxes that were opened to us, so that none of their users has to sign in."
SEND_ALL = "Send as those users, when they answer from the CRM; without it their mailboxes are only read."

_IDENTITY = {
    "openid": "Tell us who signed in, so that the permission belongs to that person alone.",
    "email": "Tell us the address you signed in with, so that you can see which account it was.",
    "profile": "Tell us your name at the provider, for the same reason.",
}
PROVEN_OTHERWISE = frozenset({*_IDENTITY, OFFLINE})
"""Scopes that answers needn't list: the ID token proves who signed in, the refresh token that access goes on."""

OPENID, EMAIL, PROFILE = (Scope(name=name, reason=reason) for name, reason in _IDENTITY.items())
KEEP = Scope(name=OFFLINE, reason="Keep doing so while you are away, without asking you to sign in every hour.")


def explained(names: Iterable[str], known: Iterable[Scope]) -> tuple[Scope, ...]:
    """Scopes that an administrator named, with the reasons of those in ``known`` and of what their names tell."""
    reasons = {scope.name: scope for scope in (OPENID, EMAIL, PROFILE, KEEP, *known)}
    return tuple(reasons.get(name) or _guessed(name) for name in names)


def missing(asked: Iterable[str], granted: Iterable[str], *, same: Callable[[str], str]) -> list[str]:
    """Which of the scopes asked for weren't granted; ``same`` maps the names of one permission to one of them."""
    have = {same(name) for name in granted}
    return [same(name) for name in asked if name not in PROVEN_OTHERWISE and same(name) not in have]


def _guessed(name: str) -> Scope:
    """Providers call their scopes for mail ``mail:smtp``, ``SMTP.Send``, ``…/protocol-imap`` and the like."""
    sends = "smtp" in name.lower() and "imap" not in name.lower()
    return Scope(name=name, reason=SEND if sends else READ, sends=sends)
