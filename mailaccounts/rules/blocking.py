"""Which addresses a blocklist means: an address with all its plus tags, or a domain with those below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailaccounts.rules.folding import fold_domain, fold_local

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


def pattern_of(text: str) -> str:
    """How a blocklist writes what somebody typed: ``anna@customer.example``, ``@customer.example`` for a domain, with
    or without the ``@``; "" for what is neither."""
    local, _, domain = text.strip().rpartition("@")
    domain = fold_domain(domain)
    if "." not in domain or not domain.isascii() or any(each.isspace() for each in local + domain) or "@" in local:
        return ""
    return f"{fold_local(local)}@{domain}"


def blocked(addresses: Collection[str], *, patterns: Collection[str]) -> set[str]:
    """Those of ``addresses`` (lower case) that one of ``patterns`` means."""
    listed = frozenset(patterns)
    return {address for address in addresses if not listed.isdisjoint(_patterns_for(address))}


def _patterns_for(address: str) -> Iterator[str]:
    """Every pattern that means ``address``."""
    local, _, domain = address.rpartition("@")
    local, domain = fold_local(local), fold_domain(domain)
    yield f"{local}@{domain}"
    yield f"{local.partition('+')[0]}@{domain}"
    while domain:
        yield f"@{domain}"
        domain = domain.partition(".")[2]
