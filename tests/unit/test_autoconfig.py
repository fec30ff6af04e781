"""What a domain says of its mail on the web: https only, under the host policy, bounded, and never trusted."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from mailaccounts.errors import (
    BudgetExceeded,
    CertificateUntrusted,
    ConnectionTimedOut,
    HostNotAllowed,
    InvalidInput,
    MailAccountsError,
    PortNotAllowed,
    ProtocolFault,
)
from mailaccounts.mail import https
from mailaccounts.mail.autoconfig import Configuration, look, read
from tests.domains import Page, configuration

if TYPE_CHECKING:
    from mailaccounts.mail.network import Network
    from tests.domains import WebServer

FIRST = ("autoconfig.corp.test", "/mail/config-v1.1.xml")
SECOND = ("corp.test", "/.well-known/autoconfig/mail/config-v1.1.xml")
IMAP, SMTP = "incoming imap imap.corp.test 993 SSL", "outgoing smtp smtp.corp.test 465 SSL"
ADDRESS = "ann@corp.test"


def looked(network: Network, *, seconds: float = 30) -> Configuration:
    return look(ADDRESS, "corp.test", network=network, deadline=time.monotonic() + seconds)


def fetched(url: str, network: Network, *, seconds: float = 30) -> bytes | None:
    return https.fetch(url, network=network, deadline=time.monotonic() + seconds, most_bytes=65_536)


def hosts(found: Configuration) -> list[str]:
    return [endpoint.url for endpoint in (*found.imap, *found.smtp)]


@pytest.mark.parametrize("place", [FIRST, SECOND])
def test_a_domain_describes_its_servers_in_either_place(web_server: WebServer, place: tuple[str, str]) -> None:
    web_server.pages[place] = Page(body=configuration(IMAP, SMTP))
    assert hosts(looked(web_server.network())) == ["imaps://imap.corp.test:993", "smtps://smtp.corp.test:465"]


def test_the_first_place_counts_when_both_say_something(web_server: WebServer) -> None:
    web_server.pages[FIRST] = Page(body=configuration("incoming imap first.corp.test 993 SSL"))
    web_server.pages[SECOND] = Page(body=configuration("incoming imap second.corp.test 993 SSL"))
    assert hosts(looked(web_server.network())) == ["imaps://first.corp.test:993"]


def test_the_web_host_does_not_learn_whose_address_it_is(web_server: WebServer) -> None:
    looked(web_server.network())
    assert len(web_server.asked) == 2
    assert "ann" not in repr(web_server.asked)
    assert all("Cookie" not in headers for _, _, headers in web_server.asked)


def test_a_redirect_is_followed_to_another_https_host(web_server: WebServer) -> None:
    web_server.pages[FIRST] = Page(status=302, headers={"Location": "https://elsewhere.test/mail.xml"})
    web_server.pages["elsewhere.test", "/mail.xml"] = Page(body=configuration(IMAP))
    assert hosts(looked(web_server.network())) == ["imaps://imap.corp.test:993"]


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("http://autoconfig.corp.test/mail.xml", InvalidInput),
        ("ftp://elsewhere.test/mail.xml", InvalidInput),
        ("file:///etc/passwd", InvalidInput),
        ("//user:pass@elsewhere.test/mail.xml", InvalidInput),
        ("https://[elsewhere/", InvalidInput),
        ("https://private.test/", HostNotAllowed),
        ("https://10.1.2.3/", HostNotAllowed),
        ("https://public.test:6379/", PortNotAllowed),
        ("https://stranger.test/", CertificateUntrusted),  # the certificate is for other names
    ],
)
def test_a_redirect_to_anything_else_is_refused(
    web_server: WebServer, location: str, error: type[MailAccountsError]
) -> None:
    web_server.pages["corp.test", "/"] = Page(status=301, headers={"Location": location})
    network = web_server.network({"private.test": "10.0.0.1", "10.1.2.3": "10.1.2.3", "public.test": "8.8.8.8"})
    with pytest.raises(error):
        fetched("https://corp.test/", network)
    assert len(web_server.asked) == 1


def test_redirects_in_a_circle_end(web_server: WebServer) -> None:
    web_server.pages["corp.test", "/"] = Page(status=307, headers={"Location": "/"})
    assert fetched("https://corp.test/", web_server.network()) is None
    assert len(web_server.asked) == 1 + https.MOST_REDIRECTS


def test_a_web_host_inside_the_private_network_is_never_reached(web_server: WebServer) -> None:
    web_server.pages[FIRST] = Page(body=configuration(IMAP))
    assert looked(web_server.network(allow=())) == Configuration()
    assert web_server.asked == []


@pytest.mark.parametrize("url", ["http://corp.test/", "corp.test", "https://", "https://corp.test:x/", "https://a b/"])
def test_only_https_addresses_are_fetched(web_server: WebServer, url: str) -> None:
    with pytest.raises(InvalidInput):
        fetched(url, web_server.network())


def test_ten_megabytes_are_not_read(web_server: WebServer) -> None:
    web_server.pages["corp.test", "/"] = Page(body=b"x" * 10_000_000)
    with pytest.raises(BudgetExceeded):
        fetched("https://corp.test/", web_server.network())


def test_an_answer_that_is_not_in_the_chunks_it_claims_is_no_document(web_server: WebServer) -> None:
    web_server.pages["corp.test", "/"] = Page(body=b"no chunks", headers={"Transfer-Encoding": "chunked"})
    with pytest.raises(ProtocolFault):
        fetched("https://corp.test/", web_server.network())


def test_headers_without_end_are_no_document(web_server: WebServer) -> None:
    web_server.pages["corp.test", "/"] = Page(headers={f"X-{number}": "x" for number in range(200)})
    with pytest.raises(ProtocolFault):
        fetched("https://corp.test/", web_server.network())


def test_a_host_that_keeps_us_waiting_ends_at_the_deadline(web_server: WebServer) -> None:
    release = threading.Event()
    web_server.pages["corp.test", "/"] = Page(wait=release)
    started = time.monotonic()
    try:
        with pytest.raises(ConnectionTimedOut):
            fetched("https://corp.test/", web_server.network(), seconds=0.5)
    finally:
        release.set()
    assert time.monotonic() - started < 20


ENTITY = b"""<?xml version="1.0"?><!DOCTYPE c [<!ENTITY h "imap.corp.test">]><clientConfig>
<incomingServer type="imap"><hostname>&h;</hostname><port>993</port><socketType>SSL</socketType></incomingServer>
</clientConfig>"""
OUTSIDE = ENTITY.replace(b'"imap.corp.test"', b'SYSTEM "file:///etc/hostname"')
LAUGHS = ENTITY.replace(
    b'<!ENTITY h "imap.corp.test">',
    b'<!ENTITY a "ha">' + b"".join(b'<!ENTITY %c "&%c;&%c;&%c;&%c;">' % (98 + n, *(97 + n,) * 4) for n in range(20)),
)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\0\1\2",
        b"<html>not found",
        configuration(IMAP)[:-20],
        ENTITY,
        OUTSIDE,
        LAUGHS,
        ENTITY.decode().encode("utf-16"),
        b'<?xml version="1.0" encoding="no-such"?><a/>',
        b"<a>" * 30 + b"</a>" * 30,
        b"<a>" * 100_000,
        configuration(*[IMAP] * 100),
        b"<" + b"a" * 100_000,
    ],
)
def test_a_hostile_or_broken_document_says_nothing(document: bytes) -> None:
    started = time.process_time()
    assert read(document, ADDRESS) == Configuration()
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    "server",
    [
        "incoming imap imap.corp.test 143 plain",
        "incoming imap imap.corp.test 993 none",
        "incoming imap imap.corp.test nine SSL",
        "incoming imap imap.corp.test 99999999999 SSL",
        "incoming pop3 pop.corp.test 995 SSL",
        "outgoing imap imap.corp.test 993 SSL",
    ],
)
def test_a_server_that_is_not_encrypted_imap_is_left_out(server: str) -> None:
    assert read(configuration(server), ADDRESS).imap == ()


def test_the_order_of_the_document_counts() -> None:
    found = read(configuration("incoming imap a.corp.test 143 STARTTLS", IMAP), ADDRESS)
    assert [endpoint.url for endpoint in found.imap] == [
        "imap+starttls://a.corp.test:143",
        "imaps://imap.corp.test:993",
    ]


@pytest.mark.parametrize(
    ("template", "username"),
    [
        ("%EMAILADDRESS%", "ann@corp.test"),
        ("%EMAILLOCALPART%", "ann"),
        ("%EMAILLOCALPART%.%EMAILDOMAIN%", "ann.corp.test"),
        ("%REALNAME%", ""),
        ("x" * 400, ""),
    ],
)
def test_the_login_name_takes_the_form_that_is_described(template: str, username: str) -> None:
    assert read(configuration(f"{IMAP} {template}"), ADDRESS).username == username


def test_a_host_may_be_named_after_the_domain() -> None:
    found = read(configuration("incoming imap imap.%EMAILDOMAIN% 993 SSL"), ADDRESS)
    assert found.imap[0].host == "imap.corp.test"
