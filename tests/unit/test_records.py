"""What a domain says of its mail in the DNS, asked of a DNS server."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import dns.resolver
import pytest

from mailaccounts.mail.records import MOST_RECORDS, Records, ask

if TYPE_CHECKING:
    from tests.domains import DnsServer


def asked(server: DnsServer, domain: str = "corp.test", *, seconds: float = 30) -> Records:
    return ask(domain, deadline=time.monotonic() + seconds, resolver=server.resolver)


def test_the_most_preferred_exchanger_goes_first(dns_server: DnsServer) -> None:
    dns_server.records["corp.test", "MX"] = ["20 backup.mx.test.", "5 Main.MX.test."]
    assert asked(dns_server).exchangers == ("main.mx.test", "backup.mx.test")


def test_a_domain_that_takes_no_mail_has_no_exchanger(dns_server: DnsServer) -> None:
    """RFC 7505."""
    dns_server.records["corp.test", "MX"] = ["0 ."]
    assert asked(dns_server).exchangers == ()


def test_servers_are_ordered_by_priority_and_among_equals_by_weight(dns_server: DnsServer) -> None:
    dns_server.records["_imaps._tcp.corp.test", "SRV"] = [
        "20 90 993 last.corp.test.",
        "10 1 993 light.corp.test.",
        "10 9 993 heavy.corp.test.",
    ]
    assert [each.host for each in asked(dns_server).imap] == ["heavy.corp.test", "light.corp.test", "last.corp.test"]


def test_encrypted_from_the_start_goes_before_starttls_whatever_the_priority(dns_server: DnsServer) -> None:
    """RFC 8314 §5.1."""
    dns_server.records |= {
        ("_imap._tcp.corp.test", "SRV"): ["0 1 143 imap.corp.test."],
        ("_imaps._tcp.corp.test", "SRV"): ["10 1 993 imap.corp.test."],
        ("_submission._tcp.corp.test", "SRV"): ["0 1 587 smtp.corp.test."],
        ("_submissions._tcp.corp.test", "SRV"): ["10 1 465 smtp.corp.test."],
    }
    found = asked(dns_server)
    assert [each.url for each in found.imap] == ["imaps://imap.corp.test:993", "imap+starttls://imap.corp.test:143"]
    assert [each.url for each in found.smtp] == ["smtps://smtp.corp.test:465", "smtp+starttls://smtp.corp.test:587"]


def test_a_service_that_is_not_offered_is_no_server(dns_server: DnsServer) -> None:
    """RFC 6186 §3.4: a target of "." says so."""
    dns_server.records["_imaps._tcp.corp.test", "SRV"] = ["0 0 0 ."]
    assert asked(dns_server).imap == ()


def test_nobody_asks_for_more_than_mail(dns_server: DnsServer) -> None:
    asked(dns_server)
    assert sorted(dns_server.asked) == [
        ("_imap._tcp.corp.test", "SRV"),
        ("_imaps._tcp.corp.test", "SRV"),
        ("_submission._tcp.corp.test", "SRV"),
        ("_submissions._tcp.corp.test", "SRV"),
        ("corp.test", "MX"),
    ]


def test_a_domain_with_very_many_records_is_looked_at_in_part(dns_server: DnsServer) -> None:
    dns_server.records["corp.test", "MX"] = [f"{number} mx{number}.test." for number in range(30)]
    assert len(asked(dns_server).exchangers) == MOST_RECORDS


def test_a_resolver_that_says_nothing_ends_at_the_deadline(dns_server: DnsServer) -> None:
    dns_server.silent = True
    started = time.monotonic()
    assert asked(dns_server, seconds=0.5) == Records()
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("domain", ["nowhere.test", "a..b", "x" * 64 + ".test", ".", "x." * 130])
def test_what_has_no_records_has_none(dns_server: DnsServer, domain: str) -> None:
    assert asked(dns_server, domain) == Records()


def test_a_machine_without_a_resolver_finds_nothing() -> None:
    nobody = dns.resolver.Resolver(configure=False)
    assert ask("corp.test", deadline=time.monotonic() + 1, resolver=nobody) == Records()
