"""Reading what a server tells when a folder is opened, changes since last time among it."""

from __future__ import annotations

import pytest

from mailaccounts.mail import imap_select
from mailaccounts.mail.imap_responses import UnreadableAnswer
from mailaccounts.mail.imap_select import Select
from mailaccounts.mail.types import FolderState, Known
from mailaccounts.mail.uids import MAX_UID
from tests.unit.recorded import Recorded

KNOWN = Known(uidvalidity=7, modseq=100, uids=[1, 2, 3, 9])
OPENED = (b"* 5 EXISTS", b"* OK [UIDVALIDITY 7] .", b"* OK [UIDNEXT 12] .", b"* OK [HIGHESTMODSEQ 120] .")


def select(*lines: bytes, known: Known | None = KNOWN) -> FolderState:
    server = Recorded(*(line + b"\r\n" for line in lines), b"W1 OK [READ-ONLY] .\r\n")
    return server.pipeline.ask(Select(b'"INBOX"', readonly=True, line_bytes=10**6, known=known)).state()


def sent(*, readonly: bool = True, known: Known | None = None, condstore: bool = False) -> bytes:
    server = Recorded(b"W1 OK .\r\n")
    server.pipeline.ask(Select(b'"A"', readonly=readonly, line_bytes=1000, known=known, condstore=condstore))
    return server.sent


def test_what_is_known_goes_with_the_command() -> None:
    assert sent() == b'W1 EXAMINE "A"\r\n'
    assert sent(readonly=False, condstore=True) == b'W1 SELECT "A" (CONDSTORE)\r\n'
    assert sent(known=KNOWN) == b'W1 EXAMINE "A" (QRESYNC (7 100 1:3,9))\r\n'
    assert sent(known=Known(uidvalidity=7, modseq=100)) == b'W1 EXAMINE "A" (QRESYNC (7 100))\r\n'
    assert sent(known=Known(uidvalidity=7, modseq=100, uids=[])) == b'W1 EXAMINE "A"\r\n'


def test_changes_and_what_vanished_are_told_by_a_server_that_resyncs() -> None:
    state = select(
        *OPENED,
        b"* VANISHED (EARLIER) 2:3",
        b"* 4 FETCH (UID 9 FLAGS (\\Seen $x) MODSEQ (119))",
        b"* 5 fetch (modseq (118) flags () uid 1)",
        b"* VANISHED (EARLIER) 7",
        b"* OK [MAILBOXID (F2212ea87)] .",
    )
    assert state.resynced
    assert state.vanished == ((2, 3), (7, 7))
    assert state.changed == {9: {"\\Seen", "$x"}, 1: set()}
    assert (state.uidvalidity, state.uidnext, state.exists, state.highestmodseq) == (7, 12, 5, 120)
    assert state.mailbox_id == "F2212ea87"


@pytest.mark.parametrize(
    "lines",
    [
        (b"* 5 EXISTS", b"* OK [UIDVALIDITY 8] .", b"* OK [HIGHESTMODSEQ 120] ."),
        (b"* 5 EXISTS", b"* OK [UIDVALIDITY 7] .", b"* OK [HIGHESTMODSEQ 99] ."),
        (b"* 5 EXISTS", b"* OK [UIDVALIDITY 7] .", b"* OK [NOMODSEQ] ."),
    ],
)
def test_changes_since_something_else_are_not_believed(lines: tuple[bytes, ...]) -> None:
    state = select(*lines, b"* VANISHED (EARLIER) 1:3", b"* 1 FETCH (UID 9 FLAGS ())")
    assert (state.resynced, state.vanished, state.changed) == (False, (), {})


def test_without_anything_known_nothing_is_resynced() -> None:
    state = select(*OPENED, b"* VANISHED (EARLIER) 1:3", b"* 1 FETCH (UID 9 FLAGS ())", known=None)
    assert (state.resynced, state.vanished, state.changed) == (False, (), {})


def test_four_billion_uids_that_vanished_are_one_range() -> None:
    assert select(*OPENED, b"* VANISHED (EARLIER) 1:4294967295").vanished == ((1, MAX_UID),)


def test_more_changes_than_are_worth_keeping_are_left_to_other_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap_select, "MOST_CHANGES", 10)
    scattered = b",".join(b"%d" % uid for uid in range(1, 30, 2))
    vanished = select(*OPENED, b"* VANISHED (EARLIER) " + scattered)
    changed = select(*OPENED, *(b"* 1 FETCH (UID %d FLAGS ())" % uid for uid in range(1, 12)))
    for state in (vanished, changed):
        assert (state.resynced, state.vanished, state.changed) == (False, (), {})
        assert state.highestmodseq == 120
    assert select(*OPENED, *(b"* 1 FETCH (UID %d FLAGS ())" % uid for uid in range(1, 11))).resynced


def test_what_was_about_the_folder_open_before_is_forgotten() -> None:
    state = select(b"* VANISHED 1:3", b"* 9 EXISTS", b"* 1 FETCH (UID 9 FLAGS ())", b"* OK [CLOSED] .", *OPENED)
    assert (state.resynced, state.vanished, state.changed, state.exists) == (True, (), {}, 5)


@pytest.mark.parametrize("text", [b"x", b"1:*", b"(1)", b"1 2", b"1:2:3"])
def test_a_vanished_that_makes_no_sense_is_unreadable(text: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        select(*OPENED, b"* VANISHED (EARLIER) " + text)


@pytest.mark.parametrize(
    "line", [b"* 5 EXISTS", b"* OK [UIDVALIDITY 0] .", b"* OK [UIDVALIDITY 99999999999999999999] ."]
)
def test_a_folder_without_uidvalidity_is_unreadable(line: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        select(line)


def test_numbers_that_no_column_holds_are_unknown() -> None:
    state = select(*OPENED[:2], b"* OK [HIGHESTMODSEQ 9999999999999999999] .", b"* OK [UIDNEXT 9223372036854775808] .")
    assert (state.highestmodseq, state.uidnext, state.resynced) == (None, 0, False)
