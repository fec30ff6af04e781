"""Hostile IMAP servers: each ends within its deadline, with the right error, and never hears the secret too early."""

from __future__ import annotations

import itertools
import time

import pytest

from mailaccounts.errors import (
    BudgetExceeded,
    ConnectionTimedOut,
    ProtocolFault,
    TlsNotSpoken,
)
from mailaccounts.mail.imap import ImapSession
from mailaccounts.mail.types import Limits, Security
from tests.integration.hostile import (
    PAUSE,
    QUICK,
    Authority,
    HostileServer,
    Peer,
    Person,
    endpoint,
    fetch_bodies,
    fetch_headers,
    imap_login,
    imap_select,
    list_folders,
    refused,
    tag,
    use,
)

# --- too much ---


def test_an_announced_literal_of_a_hundred_gigabytes_is_not_waited_for(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        imap_login(peer)
        peer.line()
        peer.send(b'* LIST () "/" {100000000000}\r\n')
        peer.line()

    refused(authority, BudgetExceeded, script, list_folders)


def test_a_fetched_literal_of_a_hundred_gigabytes_is_not_waited_for(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        imap_login(peer)
        imap_select(peer)
        peer.line()
        peer.send(b"* 1 FETCH (UID 1 BODY[]<0> {100000000000}\r\n")
        peer.stream(itertools.repeat(b"x" * 65_536))

    refused(authority, BudgetExceeded, script, fetch_bodies)


@pytest.mark.parametrize("line", [b"* 1 EXISTS\r\n", b"* OK still here\r\n", b'* LIST () "/" x\r\n', b"* X\r\n"])
def test_endless_untagged_lines_end(authority: Authority, line: bytes) -> None:
    def script(peer: Peer) -> None:
        imap_login(peer)
        peer.line()
        peer.stream(itertools.repeat(line * 1000))

    refused(authority, BudgetExceeded, script, list_folders)


def test_endless_untagged_lines_before_the_login_end(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        peer.send(b"* OK hello\r\n")
        peer.stream(itertools.repeat(b"* OK wait\r\n" * 1000))

    refused(authority, BudgetExceeded, script)


def test_endless_answers_about_other_messages_end(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        imap_login(peer)
        imap_select(peer)
        peer.line()
        peer.stream(itertools.repeat(b"* 9 FETCH (UID 9 BODY[HEADER] {65536}\r\n" + b"x" * 65_536 + b")\r\n"))

    refused(authority, BudgetExceeded, script, fetch_headers)


@pytest.mark.parametrize("start", [b"* OK ", b"* SEARCH ", b""])
def test_an_endless_line_ends(authority: Authority, start: bytes) -> None:
    def script(peer: Peer) -> None:
        imap_login(peer)
        imap_select(peer)
        peer.line()
        peer.send(start)
        peer.stream(itertools.repeat(b"1 " * 32_768))

    def search(session: ImapSession) -> object:
        session.select("INBOX")
        return session.search()

    refused(authority, BudgetExceeded, script, search)
    refused(authority, BudgetExceeded, script, fetch_headers)


def test_endless_challenges_end(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        peer.send(b"* OK hello\r\n")
        line = peer.line()
        peer.send(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n", tag(line), b" OK .\r\n")
        peer.line()
        peer.stream(itertools.repeat(b"+ \r\n" * 1000))

    # Whether lines or seconds run out first is a matter of the machine's speed.
    with pytest.raises((BudgetExceeded, ConnectionTimedOut)):
        use(authority, script)


@pytest.mark.parametrize(
    "bomb", [b'"\\"' * 20_000, b"BODY[" * 12_000, b"(" * 60_000, b"{1" * 30_000, b'a"' * 30_000], ids=lambda b: b[:5]
)
def test_a_line_made_to_be_slow_to_parse_is_not(authority: Authority, bomb: bytes) -> None:
    def script(peer: Peer) -> None:
        imap_login(peer)
        imap_select(peer)
        line = peer.line()
        peer.send(b"* 1 FETCH (UID 1 FLAGS (", bomb, b"\r\n", tag(line), b" OK .\r\n")
        peer.line()

    refused(authority, ProtocolFault, script, fetch_headers)


# --- too slow ---


def test_a_drip_of_bytes_does_not_outlive_the_deadline(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        imap_login(peer)
        peer.line()
        peer.drip(b"* OK a line that never ends ")

    refused(authority, ConnectionTimedOut, script, list_folders)


def test_a_drip_of_lines_does_not_outlive_the_deadline(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        imap_login(peer)
        peer.line()
        peer.drip(b"* X\r\n")

    refused(authority, ConnectionTimedOut, script, list_folders)


def test_a_drip_within_a_literal_does_not_outlive_the_deadline(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        imap_login(peer)
        imap_select(peer)
        peer.line()
        peer.send(b"* 1 FETCH (UID 1 BODY[]<0> {500000}\r\n")
        peer.drip(b"x")

    refused(authority, ConnectionTimedOut, script, fetch_bodies)


def test_a_drip_within_the_tls_handshake_does_not_outlive_the_deadline(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        peer.drip(b"\x16\x03\x03\x3f\x00\x02" + b"\0" * 100)

    started = time.monotonic()
    with (
        HostileServer(script, context=authority.context(), tls=False) as server,
        pytest.raises((ConnectionTimedOut, TlsNotSpoken)),
    ):
        ImapSession.open(endpoint(server.port), Person(), network=authority.network(QUICK))
    assert time.monotonic() - started < 30


def test_a_server_that_says_nothing_times_out(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        peer.line()

    for security in Security:
        refused(authority, ConnectionTimedOut, script, security=security)


def test_the_session_has_an_end_that_no_throughput_extends(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        imap_login(peer)
        while True:
            line = peer.line()
            PAUSE.wait(0.3)
            peer.send(b'* LIST () "/" x\r\n', tag(line), b" OK .\r\n")

    def forever(session: ImapSession) -> object:
        while True:
            session.folders()

    refused(authority, ConnectionTimedOut, script, forever)


def test_leaving_takes_seconds_whatever_the_server_still_has_to_say(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        imap_login(peer)
        peer.line()
        while True:
            peer.send(b"* OK ", b"x" * 8192, b"\r\n")
            PAUSE.wait(0.1)

    with HostileServer(script, context=authority.context()) as server:
        patient = authority.network(Limits(session_seconds=300))
        session = ImapSession.open(endpoint(server.port), Person(), network=patient)
        started = time.monotonic()
        session.logout()
    assert time.monotonic() - started < 60
