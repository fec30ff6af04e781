"""What counts as the same address: however it is cased, with or without a plus tag, its domain in Unicode or in ASCII.

The only place that decides it, in Python and, for columns that aren't ours, in SQL; of domains the app does, for the
blocklists of its owners mean the same by them. Never raises, whatever it is
given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Case, CharField, F, Q, Value, When
from django.db.models.functions import Concat, Lower, StrIndex, Substr
from django.db.models.lookups import GreaterThan, LessThan

from mailaccounts.hooks import LONGEST_LABEL, fold_domain, fold_local, storable

if TYPE_CHECKING:
    from django.db.models.expressions import Combinable

__all__ = ["domain_of", "fold_address", "fold_domain", "folded_column", "spellings", "written"]


def fold_address(address: str) -> str:
    """``Anna+News@Bücher.example`` → ``anna@xn--bcher-kva.example``; what isn't an address, in lower case."""
    local, at, domain = storable(address).strip().rpartition("@")
    if not at:
        return domain.lower()
    local = fold_local(local)
    return f"{local.partition('+')[0] or local}@{fold_domain(domain)}"


def domain_of(address: str) -> str:
    """The folded domain of an address that is folded already; "" where there is none."""
    return address.rpartition("@")[2] if "@" in address else ""


def spellings(folded: str) -> set[str]:
    """How a folded address may be written where nobody folded it but for case and plus tags: in ASCII and Unicode."""
    local, at, domain = folded.rpartition("@")
    if "xn--" not in domain:
        return {folded}
    return {folded, local + at + ".".join(_unicode_label(label) for label in domain.split("."))}


def written(pattern: str, *, column: str) -> Q:
    """The addresses in a ``column`` in lower case that fold to what ``pattern`` does; for ``@domain`` those at this
    domain, and at the ones below it."""
    found = Q()
    for each in spellings(fold_address(pattern)):
        local, _, domain = each.rpartition("@")
        if local:
            tagged = Q(**{f"{column}__startswith": f"{local}+", f"{column}__endswith": f"@{domain}"})
            found |= Q(**{column: each}) | tagged
        else:
            found |= Q(**{f"{column}__endswith": f"@{domain}"}) | Q(**{f"{column}__endswith": f".{domain}"})
    return found


def folded_column(name: str) -> Combinable:
    """The address in a column of somebody else's, without case and plus tag: it is one of its ``spellings`` then."""
    address, plus, at = Lower(name), StrIndex(F(name), Value("+")), StrIndex(F(name), Value("@"))
    tagged = Q(GreaterThan(plus, 1)) & Q(LessThan(plus, at))
    untagged = Concat(Substr(address, 1, plus - 1), Substr(address, at), output_field=CharField())
    return Case(When(tagged, then=untagged), default=address, output_field=CharField())


def _unicode_label(label: str) -> str:
    if not label.startswith("xn--") or len(label) > LONGEST_LABEL:
        return label
    try:
        return storable(label[4:].encode("ascii").decode("punycode"))
    except UnicodeError:
        return label
