"""Ids and labels, as recorded servers write them and as none should."""

from __future__ import annotations

import pytest

from mailaccounts.mail.abilities import Abilities
from mailaccounts.mail.imap_fetch import HEADER_ITEMS, MAX_HEADER, Fetch, FetchMarks, as_headers, header_items
from mailaccounts.mail.types import NOTHING, Marks, Provided
from tests.unit.recorded import Recorded

GMAIL, OBJECT_ID = Abilities(gmail=True), Abilities(object_id=True)
DONE = b"W1 OK done\r\n"


def told(attributes: bytes, *literals: bytes) -> Provided:
    """What a header fetch at Gmail takes from an answer."""
    server = Recorded(b"* 1 FETCH (", attributes, *literals, b" UID 7)\r\n", DONE)
    return as_headers(7, server.pipeline.ask(Fetch([7], header_items(GMAIL))).found[7]).provided


@pytest.mark.parametrize(
    ("can", "items"),
    [
        (GMAIL, "X-GM-MSGID X-GM-THRID X-GM-LABELS"),
        (OBJECT_ID, "EMAILID THREADID"),
        (Abilities(gmail=True, object_id=True), "X-GM-MSGID X-GM-THRID X-GM-LABELS"),
    ],
)
def test_they_are_asked_for_where_there_are_any(can: Abilities, items: str) -> None:
    assert header_items(can) == HEADER_ITEMS.replace("FLAGS ", f"FLAGS {items} ")
    assert header_items(Abilities()) == HEADER_ITEMS


def test_gmails_own_labels_have_a_backslash_and_others_may_have_blanks_and_any_letters() -> None:
    provided = told(
        rb"X-GM-THRID 1266894439832287888 X-GM-MSGID 1278455344230334865 "
        rb'X-GM-LABELS ("\\Inbox" \Sent Important "Muy Importante" "a \"b\" (c)" K&AOQ-ufer R&-D)'
    )
    assert (provided.id, provided.thread) == ("1278455344230334865", "1266894439832287888")
    assert provided.labels == {
        "\\Inbox", "\\Sent", "Important", "Muy Importante", 'a "b" (c)', "Käufer", "R&D",
    }  # fmt: skip


def test_a_label_may_come_as_a_literal() -> None:
    assert told(b"X-GM-LABELS (Work {9}\r\n", b"Two words", b")").labels == {"Work", "Two words"}


def test_no_labels_and_none_told_are_two_things() -> None:
    assert told(b"X-GM-LABELS ()").labels == frozenset()
    assert told(b"FLAGS (\\Seen)") is NOTHING


def test_ids_of_objects() -> None:
    assert told(b"EMAILID (M6d99ac3275bb4e) THREADID (T64b478a75b7ea9)") == Provided(
        id="M6d99ac3275bb4e", thread="T64b478a75b7ea9"
    )
    assert told(b"EMAILID (M6d99ac3275bb4e) THREADID NIL") == Provided(id="M6d99ac3275bb4e")


@pytest.mark.parametrize("written", [b"NIL", b'""', b'"a b"', b'"1\\\\2"', b"\xff", b"1" * 201, b"(a b)", b"()"])
def test_what_is_no_id_is_none(written: bytes) -> None:
    assert told(b"X-GM-MSGID %s X-GM-THRID %s" % (written, written)) == NOTHING


def test_what_is_no_utf_7_is_read_as_well_as_it_can_be() -> None:
    assert told(b"X-GM-LABELS (a&b&c\xff Work)").labels is not None


def test_labels_without_end_are_cut_off() -> None:
    labels = told(b"X-GM-LABELS (%s)" % b" ".join(b"L%d" % number for number in range(10_000))).labels
    assert labels is not None and len(labels) == 100
    labels = told(b"X-GM-LABELS ({%d}\r\n" % (2 * MAX_HEADER), b"x" * 2 * MAX_HEADER, b")").labels
    assert labels == {"x" * 255}


def test_flags_and_labels_come_in_one_answer_and_flags_alone_forget_no_labels() -> None:
    command = FetchMarks("1:3", uids=frozenset({1, 2, 3}), labels=True, changed_since=5)
    server = Recorded(
        b'* 1 FETCH (X-GM-LABELS ("\\\\Inbox" Work) UID 1 FLAGS (\\Seen) MODSEQ (7))\r\n',
        b"* 1 FETCH (UID 1 FLAGS (\\Seen \\Flagged))\r\n",
        b"* 2 FETCH (X-GM-LABELS () UID 2 FLAGS () MODSEQ (8))\r\n",
        b"* 3 FETCH (UID 3 FLAGS (\\Seen))\r\n",
        DONE,
    )
    found = server.pipeline.ask(command).found
    assert server.sent == b"W1 UID FETCH 1:3 (UID FLAGS X-GM-LABELS) (CHANGEDSINCE 5)\r\n"
    assert found == {
        1: Marks(flags=frozenset({"\\Seen", "\\Flagged"}), labels=frozenset({"\\Inbox", "Work"})),
        2: Marks(flags=frozenset(), labels=frozenset()),
        3: Marks(flags=frozenset({"\\Seen"})),
    }
