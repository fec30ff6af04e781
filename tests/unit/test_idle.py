"""IDLE as a conversation: what the server says, and what becomes of it. Time is given, not waited for."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from mailaccounts.errors import (
    BudgetExceeded,
    ConnectionLost,
    ConnectionTimedOut,
    IdleMissing,
    MailAccountsError,
    ProtocolFault,
    ServerBusy,
    Throttled,
)
from mailaccounts.mail import idle as module
from mailaccounts.mail.idle import ANSWER_SECONDS, LONGEST_RENEWAL, Idle
from mailaccounts.mail.idle_loop import IdleLoop

if TYPE_CHECKING:
    from collections.abc import Iterator

RENEWAL = 540.0


class Conversation:
    """An IDLE of a folder with three messages, and the server's end of it. ``now`` is what the clock shows."""

    def __init__(self, *, rest: bytes = b"", renewal: float = RENEWAL) -> None:
        self.now = 1000.0
        ours, self.server = socket.socketpair()
        self.server.settimeout(60)
        self.idle = Idle(ours, host="mail.test", exists=3, renewal=renewal, now=self.now, rest=rest)

    def heard(self) -> bytes:
        return self.server.recv(4096)

    def say(self, *lines: bytes) -> bool:
        """Whether what the server says is news."""
        self.server.sendall(b"".join(line + b"\r\n" for line in lines))
        return self.idle.read(self.now)

    def close(self) -> None:
        self.idle.close()
        self.server.close()


@pytest.fixture
def talk() -> Iterator[Conversation]:
    conversation = Conversation()
    assert conversation.heard() == b"I1 IDLE\r\n"
    assert conversation.say(b"+ idling") is False
    yield conversation
    conversation.close()


@pytest.mark.parametrize(
    "line", [b"* 4 EXISTS", b"* 2 EXPUNGE", b"* 1 FETCH (FLAGS (\\Seen))", b"* VANISHED 7:9", b"* 4 exists"]
)
def test_a_change_is_news(talk: Conversation, line: bytes) -> None:
    assert talk.say(line) is True


@pytest.mark.parametrize(
    "line",
    [b"* OK Still here", b"* 3 EXISTS", b"* 0 RECENT", b"* FLAGS (\\Seen)", b"* CAPABILITY IDLE", b"+ again"],
)
def test_anything_else_is_none(talk: Conversation, line: bytes) -> None:
    assert talk.say(line) is False


def test_a_number_repeated_is_news_only_once_and_again_after_an_expunge(talk: Conversation) -> None:
    lines = (b"* 4 EXISTS", b"* 4 EXISTS", b"* 1 EXPUNGE", b"* 3 EXISTS", b"* 4 EXISTS")
    assert [talk.say(line) for line in lines] == [True, False, True, False, True]


def test_a_line_may_come_in_pieces(talk: Conversation) -> None:
    talk.server.sendall(b"* 4 EXI")
    assert talk.idle.read(talk.now) is False
    talk.server.sendall(b"STS\r\n")
    assert talk.idle.read(talk.now) is True


def test_what_the_session_had_read_already_is_not_lost() -> None:
    conversation = Conversation(rest=b"* 4 EXISTS\r\n")
    assert conversation.say(b"+ idling") is True
    conversation.close()


def test_it_is_renewed_before_the_time_that_servers_grant(talk: Conversation) -> None:
    assert RENEWAL * 0.9 <= talk.idle.due - talk.now <= RENEWAL * 1.1
    talk.now = talk.idle.due
    talk.idle.turn(talk.now)
    assert talk.heard() == b"DONE\r\n"
    assert talk.say(b"* 4 EXISTS", b"I1 OK done") is True, "what comes between two IDLEs counts"
    assert talk.heard() == b"I2 IDLE\r\n"
    assert talk.say(b"+ idling") is False
    assert talk.idle.due > talk.now + ANSWER_SECONDS


def test_no_setting_makes_it_wait_for_longer_than_servers_grant() -> None:
    conversation = Conversation(renewal=24 * 3600)
    conversation.say(b"+ idling")
    assert conversation.idle.due - conversation.now <= LONGEST_RENEWAL < 30 * 60
    conversation.close()


def test_a_server_that_does_not_answer_done_is_given_up(talk: Conversation) -> None:
    talk.now = talk.idle.due
    talk.idle.turn(talk.now)
    assert talk.idle.due == talk.now + ANSWER_SECONDS
    with pytest.raises(ConnectionTimedOut):
        talk.idle.turn(talk.idle.due)


def test_a_server_that_does_not_answer_idle_is_given_up() -> None:
    conversation = Conversation()
    assert conversation.idle.due == conversation.now + ANSWER_SECONDS
    with pytest.raises(ConnectionTimedOut):
        conversation.idle.turn(conversation.idle.due)
    conversation.close()


@pytest.mark.parametrize("answer", [b"I1 NO not here", b"I1 BAD what?"])
def test_a_server_that_refuses_has_no_idle(answer: bytes) -> None:
    conversation = Conversation()
    with pytest.raises(IdleMissing):
        conversation.say(answer)
    conversation.close()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"* BYE Shutting down", ServerBusy),
        (b"* BYE [LIMIT] Too many connections", Throttled),
        (b"I1 OK I had enough", ConnectionLost),
        (b"I7 OK what?", ProtocolFault),
        (b"hello", ProtocolFault),
        (b"* " + b"x" * 20_000, BudgetExceeded),
    ],
)
def test_what_ends_it(talk: Conversation, line: bytes, expected: type[MailAccountsError]) -> None:
    with pytest.raises(expected) as caught:
        talk.say(line)
        talk.idle.read(talk.now)  # the rest of a line longer than one reading
    assert type(caught.value) is expected


def test_a_server_that_hangs_up_is_noticed(talk: Conversation) -> None:
    talk.server.close()
    with pytest.raises(ConnectionLost):
        talk.idle.read(talk.now)


def test_a_flood_is_bounded_between_two_renewals(talk: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYTES_PER_RENEWAL", 10_000)
    flood = [b"* OK Still here"] * 500  # 8,500 octets
    talk.now = talk.idle.due
    for number in (1, 2):
        talk.idle.turn(talk.now)
        talk.heard()
        talk.say(b"I%d OK" % number)
        assert talk.heard() == b"I%d IDLE\r\n" % (number + 1)
        talk.say(b"+")
        assert talk.say(*flood) is False
    with pytest.raises(BudgetExceeded):
        talk.say(*flood)


def test_the_loop_wakes_for_news_for_losses_and_when_it_is_called() -> None:
    loop = IdleLoop()
    quiet, busy, gone = (Conversation() for _ in range(3))
    for number, conversation in enumerate((quiet, busy, gone)):
        loop.add(number, conversation.idle)
        conversation.server.sendall(b"+ idling\r\n")
    assert list(loop.wait(60)) == []
    busy.server.sendall(b"* 4 EXISTS\r\n")
    gone.server.close()
    found = dict(loop.wait(60)) | dict(loop.wait(0))
    assert found.keys() == {1, 2}
    assert found[1] is None
    assert isinstance(found[2], ConnectionLost)
    assert len(loop) == 2
    loop.wake()
    assert list(loop.wait(60)) == []
    loop.close()
    assert quiet.heard() == b"I1 IDLE\r\nDONE\r\nBYE LOGOUT\r\n"
    assert quiet.heard() == b"", "closed"
