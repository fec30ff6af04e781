"""Servers that answer several commands at a time in odd ways, and servers whose extensions are not what they say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from mailaccounts.errors import BudgetExceeded, ConnectionLost, MailAccountsError, ProtocolFault, ServerBusy, Throttled
from mailaccounts.mail.types import Known
from tests.integration.hostile import Authority, Peer, imap_login, imap_select, refused, tag, use

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailaccounts.mail.imap import ImapSession

ABLE = b"IMAP4rev1 UIDPLUS ENABLE QRESYNC ESEARCH"
FETCH = re.compile(rb"(\S+) UID FETCH ([\d:,]+) ")


def header(uid: int) -> bytes:
    text = b"Subject: %d\r\n\r\n" % uid
    return b"* 1 FETCH (UID %d BODY[HEADER] {%d}\r\n%s)\r\n" % (uid, len(text), text)


def with_four_commands(answer: Callable[[Peer, list[bytes]], None]) -> Callable[[Peer], None]:
    """Waits until four header fetches are there, of a message each; ``answer`` gets their tags."""

    def script(peer: Peer) -> None:
        imap_login(peer)
        imap_select(peer)
        answer(peer, [tag(peer.line()) for _ in range(4)])
        peer.line()

    return script


def subjects(session: ImapSession) -> list[bytes]:
    session.select("INBOX")
    return [each.header.split()[1] for batch in session.headers([1, 2, 3, 4], batch=1) for each in batch]


def expect(expected: list[bytes]) -> Callable[[ImapSession], None]:
    def action(session: ImapSession) -> None:
        assert subjects(session) == expected

    return action


def test_answers_that_are_interleaved_find_their_batches(authority: Authority) -> None:
    def answer(peer: Peer, tags: list[bytes]) -> None:
        peer.send(header(4), header(2), b"* 9 EXISTS\r\n", header(1), header(3), header(1))
        peer.send(*(each + b" OK done\r\n" for each in tags))

    use(authority, with_four_commands(answer), expect([b"1", b"2", b"3", b"4"]))


def test_commands_that_end_out_of_order_lose_nothing(authority: Authority) -> None:
    def answer(peer: Peer, tags: list[bytes]) -> None:
        for uid in (3, 4, 1, 2):
            peer.send(header(uid), tags[uid - 1], b" OK done\r\n")

    use(authority, with_four_commands(answer), expect([b"1", b"2", b"3", b"4"]))


def test_a_message_refused_in_the_middle_is_left_out_and_the_others_come(authority: Authority) -> None:
    def answer(peer: Peer, tags: list[bytes]) -> None:
        peer.send(header(1), tags[0], b" OK done\r\n", tags[1], b" NO could not be converted\r\n")
        peer.send(*(header(uid) + tags[uid - 1] + b" OK done\r\n" for uid in (3, 4)))

    def action(session: ImapSession) -> None:
        assert subjects(session) == [b"1", b"3", b"4"]
        assert session.unreadable == {2}

    use(authority, with_four_commands(answer), action)


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (b" NO [UNAVAILABLE] later\r\n", ServerBusy),
        (b" BAD Request is throttled. Suggested Backoff Time: 1000 milliseconds\r\n", Throttled),
        (b" BAD what\r\n", ProtocolFault),
    ],
)
def test_a_server_that_has_enough_in_the_middle_is_understood(
    authority: Authority, end: bytes, expected: type[MailAccountsError]
) -> None:
    def answer(peer: Peer, tags: list[bytes]) -> None:
        peer.send(header(1), tags[0], b" OK done\r\n", tags[1], end)

    refused(authority, expected, with_four_commands(answer), subjects)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b"W99 OK what\r\n", ProtocolFault),
        (b"* BYE enough\r\n", ServerBusy),
        (b"* 1 FETCH (UID 2 BODY[HEADER] {50}\r\nSubj", ConnectionLost),
        (b"* 1 FETCH (UID 2 BODY[HEADER] {99999999999}\r\n", BudgetExceeded),
    ],
)
def test_an_end_in_the_middle_is_an_end_of_everything(
    authority: Authority, said: bytes, expected: type[MailAccountsError]
) -> None:
    def answer(peer: Peer, tags: list[bytes]) -> None:
        peer.send(header(1), tags[0], b" OK done\r\n", said)
        peer.close()

    refused(authority, expected, with_four_commands(answer), subjects)


def test_a_tag_that_comes_twice_is_a_protocol_fault(authority: Authority) -> None:
    def answer(peer: Peer, tags: list[bytes]) -> None:
        peer.send(header(1), tags[0], b" OK done\r\n", tags[0], b" OK done\r\n")

    refused(authority, ProtocolFault, with_four_commands(answer), subjects)


def test_no_more_than_the_limit_of_messages_is_asked_for_at_a_time(authority: Authority) -> None:
    """RFC 9738: a search looks at the newest only, and says so."""
    searches = []

    def script(peer: Peer) -> None:
        imap_login(peer, able=b"IMAP4rev1 UIDPLUS MESSAGELIMIT=3")
        imap_select(peer)
        while b" LOGOUT" not in (line := peer.line()):
            if fetch := FETCH.match(line):
                first, _, last = fetch[2].partition(b":")
                uids = range(int(first), int(last or first) + 1)
                assert len(uids) <= 3
                peer.send(*(header(uid) for uid in uids))
            elif b" SEARCH " in line:
                searches.append(line.split(b" ", 1)[1].strip())
                last_uid = int(line.split(b":")[1]) if b":*" not in line else 8
                first_uid = max(1, last_uid - 2)
                peer.send(b"* SEARCH ", b" ".join(b"%d" % uid for uid in range(first_uid, last_uid + 1)), b"\r\n")
                if first_uid > 1:
                    peer.send(tag(line), b" OK [MESSAGELIMIT 3 %d] partial\r\n" % first_uid)
                    continue
            peer.send(tag(line), b" OK done\r\n")

    def action(session: ImapSession) -> None:
        assert session.abilities.message_limit == 3
        session.select("INBOX")
        assert session.search() == list(range(1, 9))
        assert [len(batch) for batch in session.headers(list(range(1, 9)), batch=100)] == [3, 3, 2]

    use(authority, script, action)
    assert searches == [b"UID SEARCH UID 1:*", b"UID SEARCH UID 1:5", b"UID SEARCH UID 1:2"]


def test_a_limit_that_never_gets_anywhere_ends(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        imap_login(peer, able=b"IMAP4rev1 UIDPLUS MESSAGELIMIT=3")
        imap_select(peer)
        while b" LOGOUT" not in (line := peer.line()):
            peer.send(b"* SEARCH 9\r\n", tag(line), b" OK [MESSAGELIMIT 3 9] partial\r\n")

    def action(session: ImapSession) -> None:
        session.select("INBOX")
        assert session.search() == [9]

    use(authority, script, action)


def test_a_server_with_condstore_only_is_read_without_qresync(authority: Authority) -> None:
    heard = []

    def script(peer: Peer) -> None:
        imap_login(peer, able=ABLE.replace(b"QRESYNC", b"CONDSTORE"))
        line = peer.line()
        heard.append(line)
        peer.send(b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] .\r\n", tag(line), b" OK .\r\n")
        peer.line()

    def action(session: ImapSession) -> None:
        assert not session.abilities.qresync
        assert not session.select("INBOX", known=Known(uidvalidity=7, modseq=9)).resynced

    use(authority, script, action)
    assert heard[0].endswith(b' EXAMINE "INBOX" (CONDSTORE)\r\n')


@pytest.mark.parametrize("answer", [b"NO no", b"BAD unknown command", b"OK but nothing is enabled"])
def test_enable_may_come_to_nothing(authority: Authority, answer: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.send(b"* OK hello\r\n")
        line = peer.line()
        peer.send(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n", tag(line), b" OK done\r\n")
        line = peer.line()
        peer.send(b"+ \r\n")
        peer.line()
        peer.send(b"* CAPABILITY ", ABLE, b"\r\n", tag(line), b" OK in\r\n")
        peer.send(tag(peer.line()), b" ", answer, b"\r\n")
        line = peer.line()
        assert b"(CONDSTORE)" in line
        peer.send(b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] .\r\n", tag(line), b" OK .\r\n")
        peer.line()

    def action(session: ImapSession) -> None:
        assert session.abilities.condstore
        assert not session.abilities.qresync
        assert session.select("INBOX", known=Known(uidvalidity=7, modseq=9)).exists == 3

    use(authority, script, action)


def test_a_server_that_enables_qresync_and_then_knows_nothing_of_it_is_read_without(authority: Authority) -> None:
    heard = []

    def script(peer: Peer) -> None:
        imap_login(peer, able=ABLE)
        for answer in (b" BAD unknown parameter\r\n", b" OK .\r\n", b" OK .\r\n"):
            line = peer.line()
            heard.append(line.split(b" ", 1)[1])
            peer.send(b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] .\r\n* OK [HIGHESTMODSEQ 9] .\r\n", tag(line), answer)
        peer.line()

    def action(session: ImapSession) -> None:
        for _ in range(2):
            state = session.select("INBOX", known=Known(uidvalidity=7, modseq=9))
            assert (state.resynced, state.highestmodseq) == (False, 9)
        assert not session.abilities.qresync

    use(authority, script, action)
    assert b"QRESYNC" in heard[0]
    assert heard[1:] == [b'EXAMINE "INBOX" (CONDSTORE)\r\n'] * 2
