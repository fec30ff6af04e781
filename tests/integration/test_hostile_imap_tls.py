"""IMAP connections that are not encrypted, or not by whom they should be: no secret is told."""

from __future__ import annotations

import datetime

import pytest

from mailaccounts.errors import (
    CertificateUntrusted,
    ProtocolFault,
    StartTlsRefused,
    TlsNotSpoken,
)
from mailaccounts.mail.imap import ImapSession
from mailaccounts.mail.types import Security
from tests.integration.hostile import (
    Authority,
    HostileServer,
    Peer,
    Person,
    endpoint,
    imap_login,
    refused,
    tag,
)


def test_text_injected_before_tls_is_refused_and_hears_no_secret(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        peer.send(b"* OK hello\r\n")
        line = peer.line()
        peer.send(b"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\n", tag(line), b" OK .\r\n")
        line = peer.line()
        peer.send(tag(line), b" OK go ahead\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n* PREAUTH welcome\r\n")
        peer.start_tls()
        peer.line()

    refused(authority, ProtocolFault, script, security=Security.STARTTLS)


@pytest.mark.parametrize("security", list(Security))
def test_preauth_is_refused(authority: Authority, security: Security) -> None:
    def script(peer: Peer) -> None:
        peer.send(b"* PREAUTH you are in already\r\n")
        line = peer.line()
        peer.send(b"* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\n", tag(line), b" OK .\r\n")
        peer.line()

    refused(authority, ProtocolFault, script, security=security)


@pytest.mark.parametrize("answer", [b"NO", b"BAD"])
@pytest.mark.parametrize("offered", [b"IMAP4rev1 AUTH=PLAIN", b"IMAP4rev1 AUTH=PLAIN STARTTLS"])
def test_without_starttls_no_secret_is_sent(authority: Authority, offered: bytes, answer: bytes) -> None:
    heard = []

    def script(peer: Peer) -> None:
        peer.send(b"* OK hello\r\n")
        line = peer.line()
        peer.send(b"* CAPABILITY ", offered, b"\r\n", tag(line), b" OK .\r\n")
        while True:
            line = peer.line()
            heard.append(line)
            peer.send(tag(line), b" ", answer, b" not now\r\n")

    refused(authority, StartTlsRefused, script, security=Security.STARTTLS)
    assert not [line for line in heard if b"AUTHENTICATE" in line or b"LOGIN" in line]


def test_a_plain_port_is_not_taken_for_tls(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        peer.send(b"* OK hello\r\n")
        peer.line()

    with HostileServer(script, context=authority.context(), tls=False) as server, pytest.raises(TlsNotSpoken):
        ImapSession.open(endpoint(server.port), Person(), network=authority.network())


@pytest.mark.parametrize("security", list(Security))
@pytest.mark.parametrize("flaw", ["wrong name", "unknown authority", "expired"])
def test_a_certificate_that_proves_nothing_is_refused(authority: Authority, flaw: str, security: Security) -> None:
    import trustme

    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    certificate = {
        "wrong name": lambda: authority.ca.issue_cert("mail.example.com"),
        "unknown authority": lambda: trustme.CA().issue_cert("127.0.0.1"),
        "expired": lambda: authority.ca.issue_cert("127.0.0.1", not_after=yesterday),
    }[flaw]()

    def script(peer: Peer) -> None:
        if security is Security.STARTTLS:
            peer.send(b"* OK hello\r\n")
            line = peer.line()
            peer.send(b"* CAPABILITY IMAP4rev1 STARTTLS\r\n", tag(line), b" OK .\r\n")
            line = peer.line()
            peer.send(tag(line), b" OK .\r\n")
            peer.start_tls()
        imap_login(peer)

    context = authority.context(certificate=certificate)
    person = Person()
    with (
        HostileServer(script, context=context, tls=security is Security.TLS) as server,
        pytest.raises(CertificateUntrusted),
    ):
        ImapSession.open(endpoint(server.port, security=security), person, network=authority.network())
    assert not person.asked
