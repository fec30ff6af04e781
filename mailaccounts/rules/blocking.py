"""Which addresses a blocklist means: an address with all its plus tags, or a domain with those below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import idna

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

LONGEST_DOMAIN = 253  # RFC 1035 §2.3.4, without the dot at its end


def pattern_of(text: str) -> str:
    """How a blocklist writes what somebody typed: ``anna@customer.example``, ``@customer.example`` for a domain, with
    or without the ``@``; "" for what is neither."""
    local, _, domain = text.strip().rpartition("@")
    domain = _folded_domain(domain)
    if "." not in domain or not domain.isascii() or any(each.isspace() for each in local + domain) or "@" in local:
        return ""
    return f"{local.lower()}@{domain}"


def blocked(addresses: Collection[str], *, patterns: Collection[str]) -> set[str]:
    """Those of ``addresses`` (lower case) that one of ``patterns`` means."""
    listed = frozenset(patterns)
    return {address for address in addresses if not listed.isdisjoint(_patterns_for(address))}


def _patterns_for(address: str) -> Iterator[str]:
    """Every pattern that means ``address``."""
    local, _, domain = address.rpartition("@")
    domain = _folded_domain(domain)
    yield f"{local}@{domain}"
    yield f"{local.partition('+')[0]}@{domain}"
    while domain:
        yield f"@{domain}"
        domain = domain.partition(".")[2]


def _folded_domain(domain: str) -> str:
    """Lower case, in ASCII where it is a domain at all: ``Bücher.example`` → ``xn--bcher-kva.example``."""
    domain = domain.strip().rstrip(".").lower()
    if domain.isascii() or len(domain) > LONGEST_DOMAIN:
        return domain
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return domain
