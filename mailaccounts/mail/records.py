"""What a domain says of its mail in the DNS: its exchangers (MX) and its servers (SRV: RFC 6186, RFC 8314 §5.1).

Questions go to the machine's own resolvers and nowhere else. Answers are claims of whoever writes the domain's
records: nothing here is connected to before the host policy has judged it.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver

from mailaccounts.mail.types import Endpoint, Security

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dns.rdtypes.ANY.MX import MX
    from dns.rdtypes.IN.SRV import SRV

MOST_RECORDS = 20  # of one kind; nobody has more exchangers, and nobody looks at more

# Implicit TLS first, as RFC 8314 §5.1 wants it whatever the priorities say.
SERVICES = {
    "_imaps": ("imap", Security.TLS),
    "_imap": ("imap", Security.STARTTLS),
    "_submissions": ("smtp", Security.TLS),
    "_submission": ("smtp", Security.STARTTLS),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """``exchangers`` and servers, each with the most preferred first."""

    exchangers: tuple[str, ...] = ()
    imap: tuple[Endpoint, ...] = ()
    smtp: tuple[Endpoint, ...] = ()


def ask(domain: str, *, deadline: float, resolver: dns.resolver.Resolver | None = None) -> Records:
    """Asks for all of them at the same time; what isn't there, or not in time, is empty.

    ``domain`` is in ASCII, ``deadline`` an instant of time.monotonic(). ``resolver`` is the machine's unless given.
    """
    with ThreadPoolExecutor(max_workers=1 + len(SERVICES), thread_name_prefix="dns") as pool:
        look_up = partial(_answers, deadline=deadline, resolver=resolver)
        mx = pool.submit(look_up, domain, dns.rdatatype.MX)
        srv = {name: pool.submit(look_up, f"{name}._tcp.{domain}", dns.rdatatype.SRV) for name in SERVICES}
        servers = [endpoint for name, answers in srv.items() for endpoint in _servers(name, answers.result())]
        return Records(
            exchangers=_exchangers(mx.result()),
            imap=tuple(each for each in servers if each.protocol == "imap"),
            smtp=tuple(each for each in servers if each.protocol == "smtp"),
        )


def _answers(
    name: str, kind: dns.rdatatype.RdataType, *, deadline: float, resolver: dns.resolver.Resolver | None
) -> list[Any]:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        return []
    try:
        asked = resolver or dns.resolver.get_default_resolver()
        return list(asked.resolve(f"{name}.", kind, lifetime=remaining, search=False))
    except (dns.exception.DNSException, OSError):  # no such name, no answer, no resolver, no name at all
        return []


def _exchangers(answers: Iterable[MX]) -> tuple[str, ...]:
    """The hosts by preference; "." says that the domain takes no mail (RFC 7505)."""
    ordered = sorted((mx.preference, _host(mx.exchange)) for mx in answers)
    return tuple(host for _, host in ordered if host)[:MOST_RECORDS]


def _servers(name: str, answers: Iterable[SRV]) -> list[Endpoint]:
    """The servers of one service by priority. Of equals the heaviest goes first: weights are for sharing a load among
    connections (RFC 2782), and here one server is chosen for all of them. "." says there is no such service."""
    protocol, security = SERVICES[name]
    ordered = sorted((srv.priority, -srv.weight, _host(srv.target), srv.port) for srv in answers)
    return [
        Endpoint(protocol=protocol, host=host, port=port, security=security) for _, _, host, port in ordered if host
    ][:MOST_RECORDS]


def _host(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower().removesuffix(".")
