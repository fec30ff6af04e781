"""IMAP answers that are nonsense."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mailaccounts.errors import (
    ConnectionLost,
    MailAccountsError,
    ProtocolFault,
    ServerBusy,
    Throttled,
)
from tests.integration.hostile import (
    Authority,
    Peer,
    fetch_bodies,
    fetch_headers,
    imap_login,
    imap_select,
    refused,
    tag,
    use,
)

if TYPE_CHECKING:
    from mailaccounts.mail.imap import ImapSession


@pytest.mark.parametrize(
    ("greeting", "expected"),
    [
        (b"* BYE overloaded\r\n", ServerBusy),
        (b"* BYE [UNAVAILABLE] later\r\n", ServerBusy),
        (b"* BYE Too many connections from your host\r\n", Throttled),
        (b"SSH-2.0-OpenSSH_9.6\r\n", ProtocolFault),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", ProtocolFault),
        (b"220 smtp.example.com ESMTP\r\n", ProtocolFault),
        (b"\xff\xfe\0\0garbage\r\n", ProtocolFault),
        (b"* OK no line end\n", ProtocolFault),
        (b"\r\n", ProtocolFault),
        (b"", ConnectionLost),
        (b"* OK hel", ConnectionLost),
    ],
)
def test_a_greeting_that_is_none(authority: Authority, greeting: bytes, expected: type[MailAccountsError]) -> None:
    refused(authority, expected, lambda peer: peer.send(greeting))


def test_an_end_in_the_middle_of_a_literal_is_a_lost_connection(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        imap_login(peer)
        imap_select(peer)
        peer.line()
        peer.send(b"* 1 FETCH (UID 1 BODY[]<0> {5000}\r\nFrom: ")

    refused(authority, ConnectionLost, script, fetch_bodies)


@pytest.mark.parametrize(
    "answer",
    [
        b"NOBODY1 OK what\r\n",
        b"* 1 FETCH (UID 1 BODY[HEADER] {5}\r\nFrom:\r\n",
        b"* 1 FETCH (UID 1 FLAGS\r\n",
        b"* 1 FETCH (UID 1 FLAGS (\\Seen)\r\n",
        b"* 1 FETCH (UID 1 BODY[HEADER] {3})\r\n",
        b"what is this\r\n",
        b"+ go on\r\n",
    ],
)
def test_an_answer_without_grammar_is_a_protocol_fault(authority: Authority, answer: bytes) -> None:
    def script(peer: Peer) -> None:
        imap_login(peer)
        imap_select(peer)
        peer.line()
        peer.send(answer)
        peer.line()

    refused(authority, ProtocolFault, script, fetch_headers)


@pytest.mark.parametrize(
    "answer",
    [
        b"* 1 EXISTS\r\n",
        b"* OK [UIDVALIDITY 0] .\r\n",
        b"* OK [UIDVALIDITY x] .\r\n",
        b"* OK [UIDVALIDITY " + b"9" * 5000 + b"] .\r\n",
    ],
)
def test_a_folder_without_a_uidvalidity_can_not_be_synced(authority: Authority, answer: bytes) -> None:
    def script(peer: Peer) -> None:
        imap_login(peer)
        line = peer.line()
        peer.send(answer, tag(line), b" OK .\r\n")
        peer.line()

    refused(authority, ProtocolFault, script, lambda session: session.select("INBOX"))


def test_a_challenge_that_is_not_base64_is_a_protocol_fault(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        peer.send(b"* OK hello\r\n")
        line = peer.line()
        peer.send(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n", tag(line), b" OK .\r\n")
        peer.line()
        peer.send(b"+ x\r\n")
        peer.line()

    refused(authority, ProtocolFault, script)


def test_a_message_the_server_can_not_hand_out_does_not_stop_the_others(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        imap_login(peer)
        imap_select(peer)
        while True:
            line = peer.line()
            if b"UID FETCH" not in line:
                continue
            first, _, last = line.split()[3].partition(b":")
            wanted = range(int(first), int(last or first) + 1)
            for uid in wanted:
                if uid != 2:
                    peer.send(b"* %d FETCH (UID %d BODY[]<0> {2}\r\nhi)\r\n" % (uid, uid))
            peer.send(tag(line), b" NO could not be converted\r\n" if 2 in wanted else b" OK .\r\n")

    def fetch(session: ImapSession) -> None:
        session.select("INBOX")
        assert [item.uid for item in session.bodies(dict.fromkeys([1, 2, 3, 4], 2), max_bytes=10)] == [1, 3, 4]
        assert session.unreadable == {2}

    use(authority, script, fetch)
