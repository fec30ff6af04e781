"""From an address alone to its servers: which way is taken, how long it takes, and what is refused on the way."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import dns.resolver
import pytest

from mailaccounts import conf
from mailaccounts.errors import TooManyAttempts
from mailaccounts.presets import PRESETS
from mailaccounts.services.connecting.detect import DNS_SECONDS, SECONDS, Detection, How, detect
from tests.domains import Page, configuration, names

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.mail.network import Network
    from tests.domains import DnsServer, WebServer

ADDRESS = "ann@corp.test"
IMAPS = ("_imaps._tcp.corp.test", "SRV")
SUBMISSIONS = ("_submissions._tcp.corp.test", "SRV")
AUTOCONFIG = ("autoconfig.corp.test", "/mail/config-v1.1.xml")
EVERYWHERE = {"10.1.2.3": "10.1.2.3", "inside.test": "10.0.0.1", "public.test": "8.8.8.8", "nobody.test": ""}


def placed_in(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes ``network`` the one of the settings in force."""
    monkeypatch.setitem(conf.load().__dict__, "network", network)


@pytest.fixture
def domain(dns_server: DnsServer, web_server: WebServer, monkeypatch: pytest.MonkeyPatch) -> DnsServer:
    """corp.test: its DNS, and the internet around it."""
    monkeypatch.setattr(dns.resolver, "default_resolver", dns_server.resolver)
    placed_in(web_server.network(EVERYWHERE), monkeypatch)
    give(monkeypatch, seconds=60, dns_seconds=30)
    return dns_server


def give(monkeypatch: pytest.MonkeyPatch, *, seconds: float, dns_seconds: float) -> None:
    """So long everything may take. A busy machine needs more than the product allows itself."""
    monkeypatch.setattr("mailaccounts.services.connecting.detect.SECONDS", seconds)
    monkeypatch.setattr("mailaccounts.services.connecting.detect.DNS_SECONDS", dns_seconds)


def urls(found: Detection) -> tuple[str, str]:
    return found.imap.url if found.imap else "", found.smtp.url if found.smtp else ""


def test_a_known_provider_is_asked_nothing(domain: DnsServer, web_server: WebServer) -> None:
    found = detect("ann@web.de")
    assert (found.how, found.username) == (How.PRESET, "ann")
    assert urls(found) == ("imaps://imap.web.de:993", "smtps://smtp.web.de:465")
    assert (domain.asked, web_server.asked) == ([], [])


@pytest.mark.parametrize(
    ("exchanger", "slug"),
    [("10 corp-test.mail.protection.outlook.com.", "microsoft365"), ("1 aspmx.l.google.com.", "google")],
)
def test_a_customers_domain_is_recognised_by_its_exchangers(
    domain: DnsServer, web_server: WebServer, exchanger: str, slug: str
) -> None:
    domain.records["corp.test", "MX"] = [exchanger]
    domain.records[IMAPS] = ["0 1 993 imap.corp.test."]
    found = detect(ADDRESS)
    (preset,) = [each for each in PRESETS if each.slug == slug]
    assert (found.how, found.preset, found.imap, found.smtp) == (How.MX, preset, preset.imap, preset.smtp)
    assert found.stays_inside(ADDRESS)
    assert web_server.asked == []


def test_servers_in_the_dns_go_before_those_on_the_web(domain: DnsServer, web_server: WebServer) -> None:
    domain.records["corp.test", "MX"] = ["10 mx.corp.test."]
    domain.records[IMAPS] = ["10 1 993 spare.corp.test.", "0 1 993 imap.corp.test."]
    domain.records[SUBMISSIONS] = ["0 1 465 smtp.corp.test."]
    web_server.pages[AUTOCONFIG] = Page(body=configuration("incoming imap web.corp.test 993 SSL"))
    found = detect(ADDRESS)
    assert (found.how, found.preset, found.username) == (How.SRV, None, ADDRESS)
    assert urls(found) == ("imaps://imap.corp.test:993", "smtps://smtp.corp.test:465")
    assert found.stays_inside(ADDRESS)
    assert web_server.asked == []


def test_the_web_is_asked_last(domain: DnsServer, web_server: WebServer) -> None:
    servers = "incoming imap imap.corp.test 993 SSL %EMAILLOCALPART%", "outgoing smtp smtp.corp.test 587 STARTTLS"
    web_server.pages[AUTOCONFIG] = Page(body=configuration(*servers))
    found = detect(ADDRESS)
    assert (found.how, found.username) == (How.AUTOCONFIG, "ann")
    assert urls(found) == ("imaps://imap.corp.test:993", "smtp+starttls://smtp.corp.test:587")


def test_a_domain_that_says_nothing_is_unknown(domain: DnsServer) -> None:
    assert detect(ADDRESS) == Detection(how=How.NONE)


def test_servers_of_another_domain_are_told_apart(domain: DnsServer) -> None:
    domain.records[IMAPS] = ["0 1 993 imap.elsewhere.test."]
    assert not detect(ADDRESS).stays_inside(ADDRESS)
    domain.records[IMAPS] = ["0 1 993 notcorp.test."]
    assert not detect(ADDRESS).stays_inside(ADDRESS)


@pytest.mark.parametrize("how", [How.SRV, How.AUTOCONFIG])
def test_a_known_providers_server_brings_all_we_know_of_it(domain: DnsServer, web_server: WebServer, how: How) -> None:
    """And the SMTP server that the domain named beside it is not believed."""
    if how is How.SRV:
        domain.records[IMAPS] = ["0 1 993 imap.gmail.com."]
        domain.records[SUBMISSIONS] = ["0 1 465 smtp.elsewhere.test."]
    else:
        servers = "incoming imap imap.gmail.com 993 SSL", "outgoing smtp smtp.elsewhere.test 465 SSL"
        web_server.pages[AUTOCONFIG] = Page(body=configuration(*servers))
    found = detect(ADDRESS)
    assert (found.how, found.preset and found.preset.slug) == (how, "google")
    assert urls(found) == ("imaps://imap.gmail.com:993", "smtps://smtp.gmail.com:465")


@pytest.mark.parametrize("target", ["993 inside.test.", "993 10.1.2.3.", "993 nobody.test.", "6379 public.test."])
@pytest.mark.parametrize("kind", [How.SRV, How.AUTOCONFIG])
def test_a_server_the_host_policy_refuses_is_not_offered(
    domain: DnsServer, web_server: WebServer, target: str, kind: How
) -> None:
    port, host = target.removesuffix(".").split()
    good = ("993", "imap.corp.test")
    if kind is How.SRV:
        domain.records[IMAPS] = [f"0 1 {target}"]
    else:
        web_server.pages[AUTOCONFIG] = Page(body=configuration(f"incoming imap {host} {port} SSL"))
    assert detect(ADDRESS) == Detection(how=How.NONE)
    if kind is How.SRV:
        domain.records[IMAPS] += [f"10 1 {good[0]} {good[1]}."]
        assert urls(detect(ADDRESS))[0] == "imaps://imap.corp.test:993"


def test_a_refused_smtp_server_leaves_the_imap_server(domain: DnsServer) -> None:
    domain.records[IMAPS] = ["0 1 993 imap.corp.test."]
    domain.records[SUBMISSIONS] = ["0 1 465 inside.test."]
    assert urls(detect(ADDRESS)) == ("imaps://imap.corp.test:993", "")


def test_a_resolver_that_says_nothing_leaves_time_for_the_web(
    domain: DnsServer, web_server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, seconds=60, dns_seconds=1)
    domain.silent = True
    web_server.pages[AUTOCONFIG] = Page(body=configuration("incoming imap imap.corp.test 993 SSL"))
    assert detect(ADDRESS).how is How.AUTOCONFIG


def test_when_nobody_answers_it_ends_within_five_seconds(
    domain: DnsServer, web_server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, seconds=SECONDS, dns_seconds=DNS_SECONDS)
    domain.silent = True
    release = threading.Event()
    known = names(EVERYWHERE, ports={443: web_server.port})

    def slow(host: str, *rest: Any, **options: Any) -> Any:
        if host == "corp.test":  # its name is never found, while autoconfig.corp.test takes the question and is silent
            release.wait(30)
        return known(host, *rest, **options)

    web_server.pages[AUTOCONFIG] = Page(wait=release)
    network = web_server.network()
    placed_in(type(network)(allow=network.allow, ca_bundle=network.ca_bundle, lookup=slow), monkeypatch)
    started = time.monotonic()
    try:
        assert detect(ADDRESS).how is How.NONE
    finally:
        release.set()
    assert SECONDS - 1 < time.monotonic() - started < 20, "not as long as anybody is silent"


@pytest.mark.parametrize(
    "address", ["", "ann", "ann@", "ann@[10.0.0.1]", "ann@::1", "ann@10.1.2.3", "ann@a\r\nb", "ann@" + "x" * 300]
)
def test_what_is_no_domain_is_asked_nowhere(domain: DnsServer, web_server: WebServer, address: str) -> None:
    assert detect(address) == Detection(how=How.NONE)
    assert (domain.asked, web_server.asked) == ([], [])


def test_an_international_domain_is_asked_as_the_dns_spells_it(domain: DnsServer) -> None:
    domain.records["xn--bcher-kva.test", "MX"] = ["0 mx.zoho.eu."]
    assert detect("ann@bücher.test").how is How.MX


@pytest.mark.django_db
def test_looking_often_has_to_wait(domain: DnsServer, settings: SettingsWrapper, web_server: WebServer) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CONNECTION_TESTS": 1}
    detect("ann@web.de", user_id=1)  # asks nobody, so it doesn't count
    detect(ADDRESS, user_id=1)
    with pytest.raises(TooManyAttempts):
        detect(ADDRESS, user_id=1)
