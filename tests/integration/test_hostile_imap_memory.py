"""What a hostile IMAP server costs in memory, measured from outside: the client is a process of its own."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.hostile import Authority, HostileServer, Peer, imap_login, imap_select, tag

if TYPE_CHECKING:
    from collections.abc import Callable

EXTRA_MEGABYTES = 100
CLIENT = Path(__file__).with_name("hostile_client.py")


ABLE = b"IMAP4rev1 UIDPLUS ENABLE QRESYNC ESEARCH"


def serve(answer: Callable[[Peer, bytes], None], *, able: bytes = b"IMAP4rev1 UIDPLUS") -> Callable[[Peer], None]:
    """Honest until the folder is open; ``answer`` gets the command that comes then."""

    def script(peer: Peer) -> None:
        imap_login(peer, able=able)
        imap_select(peer)
        answer(peer, peer.line())

    return script


def announce(peer: Peer, line: bytes) -> None:
    peer.send(b"* 1 FETCH (UID 1 BODY[]<0> {100000000000}\r\n")
    peer.stream(itertools.repeat(b"x" * 2**20))


def announce_what_is_just_allowed(peer: Peer, line: bytes) -> None:
    for _ in range(3):
        peer.send(b"* 1 FETCH (UID 1 BODY[]<0> {33554432}\r\n")
        peer.stream(itertools.repeat(b"x" * 2**20, 32))
        peer.send(b")\r\n")
    peer.line()


def literals_without_end(peer: Peer, line: bytes) -> None:
    peer.stream(itertools.repeat(b"* 1 FETCH (UID 1 BODY[]<0> {1048576}\r\n" + b"x" * 2**20 + b")\r\n"))


def tiny_literals_without_end(peer: Peer, line: bytes) -> None:
    peer.send(b"* 1 FETCH (UID 1 FLAGS (")
    peer.stream(itertools.repeat(b"{1}\r\nx " * 1000))


def lines_without_end(peer: Peer, line: bytes) -> None:
    peer.stream(itertools.repeat(b"* 1 EXISTS\r\n" * 1000))


def long_lines_without_end(peer: Peer, line: bytes) -> None:
    peer.stream(itertools.repeat(b"* OK " + b"(" * 60_000 + b"\r\n"))


def one_line_without_end(peer: Peer, line: bytes) -> None:
    peer.stream(itertools.repeat(b"* OK " + b"x" * 2**20))


def a_search_answer_as_long_as_is_allowed(peer: Peer, line: bytes) -> None:
    uids = b" ".join(b"%d" % uid for uid in range(1_000_000, 1_000_000 + 2**20))[: 8 * 2**20 - 100]
    peer.send(b"* SEARCH ", uids, b"\r\n", tag(line), b" OK .\r\n")
    peer.line()


def search_answers_one_after_another(peer: Peer, line: bytes) -> None:
    for start in range(10_000_000, 14_000_000, 900_000):
        peer.send(b"* SEARCH ", b" ".join(b"%d" % uid for uid in range(start, start + 900_000)), b"\r\n")
    peer.send(tag(line), b" OK .\r\n")
    peer.line()


def attributes_nobody_asked_for(peer: Peer, line: bytes) -> None:
    for start in range(0, 2_000_000, 5_000):
        names = b" ".join(b"X%x 1" % name for name in range(start, start + 5_000))
        peer.send(b"* 1 FETCH (UID 1 ", names, b")\r\n")
    peer.send(tag(line), b" OK .\r\n")
    peer.line()


def flags_without_end(peer: Peer, line: bytes) -> None:
    peer.send(b"* 1 FETCH (UID 1 FLAGS (")
    for _ in range(600):
        peer.send(b"ab " * 20_000, b"{1}\r\nx ")
    peer.send(b"))\r\n", tag(line), b" OK .\r\n")
    peer.line()


def opened(peer: Peer, line: bytes) -> None:
    code = b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] .\r\n* OK [HIGHESTMODSEQ 9] .\r\n"
    peer.send(code, tag(line), b" OK .\r\n")
    peer.line()


def all_that_ever_was_vanished(peer: Peer, line: bytes) -> None:
    peer.send(b"* VANISHED (EARLIER) 1:4294967295\r\n" * 1000)
    opened(peer, line)


def one_uid_after_another_vanished(peer: Peer, line: bytes) -> None:
    for start in range(1, 30_000_000, 900_000):
        peer.send(
            b"* VANISHED (EARLIER) ", b",".join(b"%d" % uid for uid in range(start, start + 900_000, 2)), b"\r\n"
        )
    opened(peer, line)


def every_flag_changed(peer: Peer, line: bytes) -> None:
    for start in range(1, 200_000, 10_000):
        changes = (b"* 1 FETCH (UID %d FLAGS (f%x))\r\n" % (uid, uid) for uid in range(start, start + 10_000))
        peer.send(b"".join(changes))
    opened(peer, line)


def flags_change_without_end(peer: Peer, line: bytes) -> None:
    peer.stream(itertools.repeat(b"".join(b"* 1 FETCH (UID %d FLAGS (a b))\r\n" % uid for uid in range(1, 5000))))


def flags_of_everybody(peer: Peer, line: bytes) -> None:
    flags = b" ".join(b"flag%d" % number for number in range(60))
    for start in range(1, 100_000, 1000):
        peer.send(b"".join(b"* 1 FETCH (UID %d FLAGS (%s))\r\n" % (uid, flags) for uid in range(start, start + 1000)))
    peer.send(tag(line), b" OK .\r\n")
    peer.line()


def four_billion_found(peer: Peer, line: bytes) -> None:
    peer.send(b'* ESEARCH (TAG "', tag(line), b'") UID ALL 1:4294967295\r\n', tag(line), b" OK .\r\n")
    peer.line()


def a_million_found_one_by_one(peer: Peer, line: bytes) -> None:
    found = b",".join(b"%d" % uid for uid in range(1, 2_000_000, 2))
    peer.send(b'* ESEARCH (TAG "', tag(line), b'") UID ALL ', found, b"\r\n", tag(line), b" OK .\r\n")
    peer.line()


def headers_of_other_batches(peer: Peer, line: bytes) -> None:
    """Answers all commands but the one that is waited for, with as much as anybody asked for."""
    for uid in range(501, 2001):
        peer.send(b"* 1 FETCH (UID %d BODY[HEADER] {65536}\r\n" % uid, b"x" * 65_536, b")\r\n")
    peer.line()


@pytest.mark.parametrize(
    ("answer", "action", "expected"),
    [
        (all_that_ever_was_vanished, "resync", ""),
        (one_uid_after_another_vanished, "resync", "budget_exceeded"),
        (every_flag_changed, "resync", ""),
        (flags_change_without_end, "resync", "budget_exceeded"),
        (flags_of_everybody, "flags", "budget_exceeded"),
        (four_billion_found, "search", "budget_exceeded"),
        (four_billion_found, "existing", "budget_exceeded"),
        (a_million_found_one_by_one, "search", ""),
        (headers_of_other_batches, "many headers", "budget_exceeded"),
    ],
)
def test_a_server_that_makes_up_changes_costs_bounded_memory(
    authority: Authority, answer: Callable[[Peer, bytes], None], action: str, expected: str
) -> None:
    assert_bounded(authority, serve(answer, able=ABLE), action, expected)


@pytest.mark.parametrize(
    ("answer", "action", "expected"),
    [
        (announce, "bodies", "budget_exceeded"),
        (announce_what_is_just_allowed, "bodies", "budget_exceeded"),
        (literals_without_end, "bodies", "budget_exceeded"),
        (tiny_literals_without_end, "headers", "budget_exceeded"),
        (lines_without_end, "headers", "budget_exceeded"),
        (lines_without_end, "search", "budget_exceeded"),
        (long_lines_without_end, "search", "budget_exceeded"),
        (one_line_without_end, "search", "budget_exceeded"),
        (a_search_answer_as_long_as_is_allowed, "search", ""),
        (search_answers_one_after_another, "search", "budget_exceeded"),
        (attributes_nobody_asked_for, "headers", ""),
        (flags_without_end, "headers", "protocol_fault"),
    ],
)
def test_a_hostile_server_costs_bounded_memory(
    authority: Authority, answer: Callable[[Peer, bytes], None], action: str, expected: str
) -> None:
    assert_bounded(authority, serve(answer), action, expected)


def assert_bounded(authority: Authority, script: Callable[[Peer], None], action: str, expected: str) -> None:
    with HostileServer(script, context=authority.context()) as server:
        command = [sys.executable, str(CLIENT), str(server.port), str(authority.ca_file), action]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    told = json.loads(done.stdout)
    assert told["code"] == expected
    assert told["extra_megabytes"] < EXTRA_MEGABYTES
    assert told["seconds"] < 120  # and not the ten minutes that a session may take
