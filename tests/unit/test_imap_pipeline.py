"""Several commands under way: whose answer is whose, in whatever order they come."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from mailaccounts.errors import BudgetExceeded, ConnectionLost, ServerBusy
from mailaccounts.mail.imap_fetch import Fetch
from mailaccounts.mail.imap_pipeline import WINDOW, Command
from mailaccounts.mail.imap_responses import UnreadableAnswer
from mailaccounts.mail.imap_search import Search
from mailaccounts.mail.responses import Condition, Refused
from mailaccounts.mail.types import Limits
from tests.unit.recorded import Recorded

if TYPE_CHECKING:
    from collections.abc import Callable


def body(uid: int, text: bytes = b"hi") -> bytes:
    return b"* 1 FETCH (UID %d BODY[]<0> {%d}\r\n%s)\r\n" % (uid, len(text), text)


def done(number: int) -> bytes:
    return b"W%d OK done\r\n" % number


def fetches(*uids: int) -> list[Fetch]:
    return [Fetch([uid], "(UID BODY.PEEK[])", most_octets=10**6) for uid in uids]


def found(command: Fetch) -> list[int]:
    return sorted(command.found)


def test_the_next_commands_are_sent_before_the_caller_gets_the_first_answer() -> None:
    server = Recorded(*(body(uid) + done(uid) for uid in range(1, 7)))
    answers = server.pipeline.ask_all(fetches(*range(1, 7)))
    assert found(next(answers)) == [1]
    assert server.sent.count(b"UID FETCH") == WINDOW + 1
    assert [found(each) for each in answers] == [[2], [3], [4], [5], [6]]


def test_the_first_commands_are_sent_before_anybody_wants_an_answer() -> None:
    server = Recorded(body(1), done(1), body(2), done(2), b"* SEARCH 4\r\n", done(3))
    answers = server.pipeline.ask_all(fetches(1, 2))
    assert server.sent.count(b"UID FETCH") == 2
    assert server.pipeline.ask(Search("ALL", ranges=False, line_bytes=1000)).numbers == [4]
    assert [found(each) for each in answers] == [[1], [2]]


@pytest.mark.parametrize("dropped", [Generator.close, lambda answers: None], ids=["closed", "forgotten"])
def test_answers_that_nobody_wants_after_all_are_not_kept(dropped: Callable[[Generator[Fetch]], None]) -> None:
    limits = Limits(command_bytes=5000, literal_bytes=5000)
    server = Recorded(
        *(part for uid in range(1, 30) for part in (body(uid, b"x" * 500), done(uid))), limits=limits, drip=True
    )
    for uid in range(1, 30):
        dropped(server.pipeline.ask_all(fetches(uid)))
        server.pipeline.settle()


def test_commands_sent_together_are_one_round_trip() -> None:
    server = Recorded(*(done(number) for number in range(1, 20)))
    server.pipeline.send(Command("ENABLE X"))
    server.pipeline.ask(Command("NOOP"))
    assert server.traffic.round_trips == 1
    assert len(list(server.pipeline.ask_all(fetches(*range(1, 10))))) == 9
    assert server.traffic.round_trips == 1 + 3  # nine commands, four at a time
    server.pipeline.ask(Command("NOOP"))
    assert server.traffic.round_trips == 5


@pytest.mark.parametrize("drip", [False, True])
def test_interleaved_answers_find_their_commands(drip: bool) -> None:
    server = Recorded(body(3), body(1), b"* 5 EXISTS\r\n", body(2), done(1), done(2), done(3), drip=drip)
    assert [found(each) for each in server.pipeline.ask_all(fetches(1, 2, 3))] == [[1], [2], [3]]


def test_commands_may_end_in_any_order_and_are_handed_over_in_theirs() -> None:
    server = Recorded(body(3), done(3), body(2), done(2), body(1), done(1))
    assert [found(each) for each in server.pipeline.ask_all(fetches(1, 2, 3))] == [[1], [2], [3]]


def test_a_refusal_in_the_middle_is_that_commands_alone() -> None:
    server = Recorded(body(1), done(1), b"W2 NO not this one\r\n", body(3), done(3))
    ended = list(server.pipeline.ask_all(fetches(1, 2, 3)))
    conditions = [each.status.condition for each in ended if each.status]
    assert conditions == [Condition.OK, Condition.NO, Condition.OK]
    with pytest.raises(Refused):
        ended[1].insist()


def test_an_answer_that_two_commands_wait_for_goes_to_both() -> None:
    header = b"* 1 FETCH (UID 7 BODY[HEADER] {3}\r\nA:b)\r\n"
    server = Recorded(header, done(1), body(7), done(2))
    results = [each.found[7].keys() for each in server.pipeline.ask_all(fetches(7, 7))]
    assert b"BODY[HEADER]" in results[0]
    assert b"BODY[]" in results[1]


def test_a_command_in_between_reads_past_what_is_not_its_own_and_loses_nothing() -> None:
    server = Recorded(body(1), done(1), body(2), done(2), body(3), done(3), b"* SEARCH 4\r\n", done(4))
    answers = server.pipeline.ask_all(fetches(1, 2, 3))
    next(answers)
    assert server.pipeline.ask(Search("ALL", ranges=False, line_bytes=1000)).numbers == [4]
    assert [found(each) for each in answers] == [[2], [3]]


def test_whoever_stops_halfway_is_not_confused_by_what_still_comes() -> None:
    server = Recorded(body(1), done(1), body(2), done(2), body(3), done(3), b"* SEARCH 4\r\n", done(4))
    answers = server.pipeline.ask_all(fetches(1, 2, 3))
    next(answers)
    answers.close()
    server.pipeline.settle()
    assert server.pipeline.ask(Search("ALL", ranges=False, line_bytes=1000)).numbers == [4]


@pytest.mark.parametrize(
    "line", [b"W9 OK what\r\n", b"W1 PREAUTH x\r\n", b"W1\r\n", b"+ go on\r\n", b"w1 OK\r\n", b"\r\n"]
)
def test_an_end_that_is_nobodys_is_unreadable(line: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        Recorded(line).pipeline.ask(Command("NOOP"))


def test_an_end_that_comes_twice_is_unreadable() -> None:
    with pytest.raises(UnreadableAnswer):
        list(Recorded(done(1), done(1)).pipeline.ask_all(fetches(1, 2)))


def test_a_goodbye_ends_all_that_is_under_way() -> None:
    server = Recorded(body(1), done(1), b"* BYE shutting down\r\n", body(2), done(2))
    answers = server.pipeline.ask_all(fetches(1, 2))
    next(answers)
    with pytest.raises(ServerBusy):
        next(answers)
    assert server.wire.closed


def test_an_end_of_the_connection_is_told_from_an_end_of_the_answers() -> None:
    answers = Recorded(body(1), done(1), body(2)).pipeline.ask_all(fetches(1, 2))
    next(answers)
    with pytest.raises(ConnectionLost):
        next(answers)


def test_what_all_commands_hold_together_is_bounded() -> None:
    limits = Limits(command_bytes=1000, literal_bytes=1000)
    kept = [part for uid in (1, 2, 3) for part in (body(uid, b"x" * 200), done(uid))]
    server = Recorded(*kept, limits=limits, drip=True)
    server.pipeline.send(*fetches(1, 2, 3))  # 500 octets beside each body count as well
    with pytest.raises(BudgetExceeded):
        server.pipeline.settle()
    assert server.wire.closed
