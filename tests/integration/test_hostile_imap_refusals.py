"""Logins and commands that IMAP servers refuse, and what each refusal means."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

import pytest

from mailaccounts.errors import (
    ConnectionLost,
    MailboxNotConnected,
    PasswordRejected,
    ProtocolFault,
    ServerBusy,
    Throttled,
    TokenRejected,
)
from mailaccounts.mail.imap_search import with_person
from mailaccounts.mail.sasl import Login, XOAuth2
from tests.integration.hostile import (
    SECRET,
    Authority,
    Peer,
    imap_login,
    imap_select,
    list_folders,
    refused,
    tag,
    use,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailaccounts.mail.imap import ImapSession


def refusing(
    answer: bytes, *, challenge: bytes = b"", offered: bytes = b"AUTH=PLAIN AUTH=XOAUTH2 AUTH=LOGIN"
) -> Callable[[Peer], None]:
    """A server that refuses AUTHENTICATE with ``answer``."""

    def script(peer: Peer) -> None:
        peer.send(b"* OK hello\r\n")
        line = peer.line()
        peer.send(b"* CAPABILITY IMAP4rev1 ", offered, b"\r\n", tag(line), b" OK .\r\n")
        line = peer.line()
        peer.send(b"+ \r\n")
        peer.line()
        if challenge:
            peer.send(challenge)
            assert peer.line() == b"\r\n"
        peer.send(tag(line) if answer[:1] != b"*" else b"", b" " if answer[:1] != b"*" else b"", answer, b"\r\n")
        peer.line()

    return script


def test_a_refused_token_is_told_from_a_refused_password(authority: Authority) -> None:
    no = b"NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)"
    refused(authority, PasswordRejected, refusing(no))
    mechanism = XOAuth2("jo@example.com", SECRET.decode())
    challenge = b"+ eyJzdGF0dXMiOiI0MDAifQ==\r\n"
    refused(authority, TokenRejected, refusing(no, challenge=challenge), mechanism=mechanism)
    assert mechanism.challenge == b'{"status":"400"}'


def test_a_busy_server_says_nothing_about_the_token(authority: Authority) -> None:
    mechanism = XOAuth2("jo@example.com", SECRET.decode())
    challenge = b"+ eyJzdGF0dXMiOiI0MDAifQ==\r\n"
    no = b"NO [ALERT] Too many simultaneous connections. (Failure)"
    refused(authority, Throttled, refusing(no, challenge=challenge), mechanism=mechanism)


def test_goodbye_during_the_login_is_not_a_refusal(authority: Authority) -> None:
    refused(authority, ServerBusy, refusing(b"* BYE shutting down"))


def test_an_end_during_the_login_is_not_a_refusal_and_leaves_no_secret_behind(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        peer.send(b"* OK hello\r\n")
        line = peer.line()
        peer.send(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n", tag(line), b" OK .\r\n")
        peer.line()
        peer.send(b"+ \r\n")
        peer.line()

    error = refused(authority, ConnectionLost, script)
    assert error.__context__ is None


def test_microsofts_mailbox_that_is_not_connected_is_told_apart(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        imap_login(peer)
        line = peer.line()
        peer.send(tag(line), b" BAD User is authenticated but not connected.\r\n* BYE Connection closed. 14\r\n")

    refused(authority, MailboxNotConnected, script, lambda session: session.select("INBOX"))


def test_microsofts_throttling_says_how_long_to_wait(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        imap_login(peer)
        line = peer.line()
        peer.send(tag(line), b" BAD Request is throttled. Suggested Backoff Time: 201317 milliseconds\r\n")
        peer.line()

    error = refused(authority, Throttled, script, list_folders)
    assert isinstance(error, Throttled)
    assert error.retry_after == pytest.approx(201.317)


def test_a_server_with_only_the_login_command_is_served(authority: Authority) -> None:
    heard = []

    def script(peer: Peer) -> None:
        peer.send(b"* OK hello\r\n")
        line = peer.line()
        peer.send(b"* CAPABILITY IMAP4rev1\r\n", tag(line), b" OK .\r\n")
        line = peer.line()
        heard.append(line)
        peer.send(tag(line), b" OK [CAPABILITY IMAP4rev1 UIDPLUS] in\r\n")
        peer.line()

    seen = []
    use(authority, script, lambda session: seen.append(session.capabilities), mechanism=Login('j"o', b"pass word"))
    assert heard[0].endswith(b' LOGIN "j\\"o" "pass word"\r\n')
    assert seen == [{"IMAP4REV1", "UIDPLUS"}]


def test_a_greeting_that_tells_enough_makes_the_login_one_round_trip(authority: Authority) -> None:
    heard = []

    def script(peer: Peer) -> None:
        peer.send(b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hello\r\n")
        heard.append(peer.line())
        peer.send(tag(heard[0]), b" OK [CAPABILITY IMAP4rev1 UIDPLUS] in\r\n")
        peer.line()

    trips = []
    use(authority, script, lambda session: trips.append(session.traffic.round_trips))
    answer = b64encode(b"\0jo@example.com\0" + SECRET)
    assert heard[0].endswith(b" AUTHENTICATE PLAIN " + answer + b"\r\n")
    assert trips == [1]


def test_a_token_refused_at_once_still_comes_with_its_reasons(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        peer.send(b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hello\r\n")
        line = peer.line()
        peer.send(b"+ eyJzdGF0dXMiOiI0MDAifQ==\r\n")
        assert peer.line() == b"\r\n"
        peer.send(tag(line), b" NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)\r\n")
        peer.line()

    mechanism = XOAuth2("jo@example.com", SECRET.decode())
    refused(authority, TokenRejected, script, mechanism=mechanism)
    assert mechanism.challenge == b'{"status":"400"}'


def test_a_token_too_long_for_a_line_waits_to_be_asked_for(authority: Authority) -> None:
    token = "x" * 7000
    heard = []

    def script(peer: Peer) -> None:
        peer.send(b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hello\r\n")
        heard.append(peer.line())
        peer.send(b"+ \r\n")
        heard.append(peer.line())
        peer.send(tag(heard[0]), b" OK [CAPABILITY IMAP4rev1 UIDPLUS] in\r\n")
        peer.line()

    use(authority, script, mechanism=XOAuth2("jo@example.com", token))
    assert heard[0].endswith(b" AUTHENTICATE XOAUTH2\r\n")
    assert b64decode(heard[1]) == f"user=jo@example.com\1auth=Bearer {token}\1\1".encode()


@pytest.mark.parametrize("able", [b"IMAP4rev1", b"IMAP4rev1 LITERAL+"])
@pytest.mark.parametrize("no", [b"NO [BADCHARSET (US-ASCII)] no", b"BAD what?"])
def test_who_takes_no_search_in_unicode_is_asked_in_ascii_alone(authority: Authority, able: bytes, no: bytes) -> None:
    def script(peer: Peer) -> None:
        imap_login(peer, able=able)
        imap_select(peer)
        peer.send(b"* SEARCH 2\r\n", tag(peer.line()), b" OK found\r\n")
        if b"LITERAL+" in able:
            line = peer.line()
            assert peer.line() == "bücher.test)\r\n".encode()
            peer.send(tag(line), b" ", no, b"\r\n")
        peer.send(tag(peer.line()), b" BAD still here\r\n")

    def search(session: ImapSession) -> None:
        session.select("INBOX")
        any_of = [each for each in with_person("@xn--bcher-kva.test") if each.startswith(b"(FROM")]
        assert session.search(any_of=any_of) == [2]
        with pytest.raises(ProtocolFault):
            session.search()
        assert not session.closed

    heard = use(authority, script, search)
    assert (b"CHARSET" in heard) is (b"LITERAL+" in able)
