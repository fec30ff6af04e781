"""Reading FETCH answers in all the forms servers give them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from mailaccounts.mail.imap_fetch import (
    BATCH,
    EPOCH,
    HEADER_ITEMS,
    MAX_HEADER,
    Fetch,
    as_body,
    as_headers,
    internal_date,
)
from mailaccounts.mail.imap_responses import UnreadableAnswer
from mailaccounts.mail.responses import Code, Refused
from mailaccounts.mail.uids import MAX_UID, uid_set
from tests.unit.recorded import Recorded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailaccounts.mail.imap_responses import Attributes


def fetch(server: Recorded, uids: Sequence[int], items: str = "(UID)") -> dict[int, Attributes]:
    """What a FETCH of ``uids`` comes to."""
    return server.pipeline.ask(Fetch(uids, items)).found


DONE = b"W1 OK done\r\n"


def test_a_full_batch_of_scattered_uids_fits_a_command_line() -> None:
    scattered = uid_set(range(MAX_UID - 2 * BATCH, MAX_UID, 2))
    assert len(f"TAGS123 UID FETCH {scattered} {HEADER_ITEMS}\r\n") < 8192


def test_what_is_fetched_is_peeked() -> None:
    assert "BODY.PEEK[" in HEADER_ITEMS
    assert "BODY[" not in HEADER_ITEMS


def test_a_dovecot_answer() -> None:
    header = b'From: a@b\r\nSubject: (x) "y" {5}\r\n\r\n'
    server = Recorded(
        b'* 1 FETCH (UID 7 FLAGS (\\Seen $Label1 [odd]) INTERNALDATE "01-Jan-2026 12:00:00 +0200" RFC822.SIZE 99 '
        b"BODY[HEADER.FIELDS (DATE FROM SUBJECT)] {%d}\r\n" % len(header),
        header,
        b")\r\n",
        DONE,
    )
    item = as_headers(7, fetch(server, [7], HEADER_ITEMS)[7])
    assert item.header == header
    assert item.flags == {"\\Seen", "$Label1", "[odd]"}
    assert item.size == 99
    assert item.internal_date == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert server.sent == f"W1 UID FETCH 7 {HEADER_ITEMS}\r\n".encode()


def test_attributes_in_any_order_case_and_quoting() -> None:
    server = Recorded(
        b'* 3 fetch (body[header.fields ("FROM" "X-[Y")] "From: \\"a\\\\b\\" <a@b>" modseq (12345) rfc822.size 1 '
        b'X-GM-LABELS ("\\\\Inbox" foo) flags () uid 7)\r\n',
        DONE,
    )
    item = as_headers(7, fetch(server, [7], HEADER_ITEMS)[7])
    assert item.header == b'From: "a\\b" <a@b>'
    assert (item.size, item.flags, item.internal_date) == (1, frozenset(), EPOCH)


@pytest.mark.parametrize("answer", [b"BODY[]<0> NIL", rb"FLAGS (\Seen)"])
def test_an_answer_without_a_body_is_not_an_empty_message(answer: bytes) -> None:
    found = fetch(Recorded(b"* 3 FETCH (UID 7 " + answer + b")\r\n", DONE), [7])
    assert as_body(7, found[7], max_bytes=10) is None


def test_a_literal_that_looks_quoted_stays_as_it_is() -> None:
    found = fetch(Recorded(b'* 3 FETCH (UID 7 BODY[]<0> {8}\r\n"a\\"b\\c")\r\n', DONE), [7])
    assert as_body(7, found[7], max_bytes=10).raw == b'"a\\"b\\c"'


def test_several_literals_in_one_answer_find_their_places() -> None:
    server = Recorded(b"* 3 FETCH (X {2}\r\nxx BODY[]<0> {3}\r\nyyy FLAGS ({1}\r\nz) UID 7)\r\n", DONE)
    attributes = fetch(server, [7])[7]
    assert attributes == {b"BODY[]": b"yyy", b"FLAGS": b"z", b"UID": b"7"}


def test_news_and_answers_about_other_messages_are_passed_over() -> None:
    server = Recorded(
        b"* 5 EXISTS\r\n",
        b"* 2 EXPUNGE\r\n",
        b"* 1 FETCH (FLAGS (\\Seen))\r\n",
        b"* 2 FETCH (UID 8 BODY[] {3}\r\nabc)\r\n",
        b"* OK [ALERT] {3}\r\nxyz\r\n",
        b"* FLAGS (\\Seen)\r\n",
        b"* 3 FETCH (UID 7 BODY[] {2}\r\nhi)\r\n",
        DONE,
    )
    assert fetch(server, [7]) == {7: {b"UID": b"7", b"BODY[]": b"hi"}}


def test_answers_in_pieces_are_put_together_and_the_first_word_counts() -> None:
    server = Recorded(
        b"* 3 FETCH (UID 7 FLAGS ())\r\n",
        b"* 3 FETCH (UID 7 BODY[] {2}\r\nhi)\r\n",
        b"* 3 FETCH (UID 7 BODY[] {2}\r\nho FLAGS (\\Seen))\r\n",
        DONE,
    )
    assert fetch(server, [7]) == {7: {b"UID": b"7", b"FLAGS": b"", b"BODY[]": b"hi"}}


def test_messages_expunged_meanwhile_are_missing() -> None:
    server = Recorded(b"* 3 FETCH (UID 7 FLAGS ())\r\n", b"W1 NO [EXPUNGEISSUED] some are gone\r\n")
    assert list(fetch(server, [7, 8])) == [7]


def test_a_refusal_keeps_its_code() -> None:
    with pytest.raises(Refused) as caught:
        fetch(Recorded(b"W1 NO [UNAVAILABLE] later\r\n"), [7])
    assert caught.value.status.code is Code.UNAVAILABLE
    assert "later" not in str(caught.value)


@pytest.mark.parametrize(
    "answer", [b"+ more\r\n", b"W1\r\n", b"W1 PREAUTH x\r\n", b"* 1 FETCH (UID\r\n", b"* 1 FETCH (FLAGS ((\r\n"]
)
def test_what_is_no_answer_is_unreadable(answer: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        fetch(Recorded(answer), [7])


def test_a_body_is_cut_at_the_limit_and_only_then_called_truncated() -> None:
    exact = as_body(1, {b"BODY[]": b"12345"}, max_bytes=5)
    longer = as_body(1, {b"BODY[]": b"123456"}, max_bytes=5)
    assert (exact.raw, exact.truncated) == (b"12345", False)
    assert (longer.raw, longer.truncated) == (b"12345", True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b" 1-Feb-2026 00:30:00 +0100", datetime(2026, 1, 31, 23, 30, tzinfo=UTC)),
        (b"29-FEB-2024 23:59:60 +0000", EPOCH),
        (b"29-Feb-2024 23:59:59 -0930", datetime(2024, 3, 1, 9, 29, 59, tzinfo=UTC)),
        (b"31-Feb-2024 00:00:00 +0000", EPOCH),
        (b"01-Xyz-2024 00:00:00 +0000", EPOCH),
        (b"01-Jan-0000 00:00:00 +0000", EPOCH),
        (b"01-Jan-0001 00:00:00 +1400", EPOCH),
        (b"31-Dec-9999 23:59:59 -1400", EPOCH),
        (b"31-Dec-9999 23:59:59 +0000", EPOCH),
        (b"01-Jan-0001 00:00:00 +0000", EPOCH),
        (b"yesterday", EPOCH),
        (None, EPOCH),
    ],
)
def test_internal_dates_are_utc_and_nonsense_is_the_epoch(text: bytes | None, expected: datetime) -> None:
    assert internal_date(text) == expected


def test_a_header_that_is_cut_off_ends_before_the_address_it_was_cut_in() -> None:
    whole = b"From: jo@x.test\r\nTo: " + b",\r\n ".join(b"somebody-%d@x.test" % n for n in range(5000))
    cut = whole[:MAX_HEADER]
    line = b"* 3 FETCH (UID 7 BODY[HEADER.FIELDS (FROM TO)]<0> {%d}\r\n%s)\r\n" % (len(cut), cut)
    header = as_headers(7, fetch(Recorded(line, DONE), [7], HEADER_ITEMS)[7]).header
    assert header.startswith(b"From: jo@x.test") and header.rstrip(b",\r\n").endswith(b"@x.test")
    assert len(header) > MAX_HEADER - 40


def test_a_size_that_no_column_holds_is_unknown() -> None:
    line = b"* 3 FETCH (UID 7 RFC822.SIZE 9999999999999999999)\r\n"
    assert as_headers(7, fetch(Recorded(line, DONE), [7])[7]).size == 0


def test_a_structure_of_very_many_literals_hides_no_other_message() -> None:
    names = b"".join(b'("a" "b" ("name" {4}\r\n\xff\xff\xff\xff) NIL NIL "base64" 1)' for _ in range(5000))
    server = Recorded(
        b"* 1 FETCH (UID 7 BODYSTRUCTURE (" + names + b' "mixed"))\r\n',
        b'* 2 FETCH (UID 8 BODYSTRUCTURE ("text" "plain" NIL NIL NIL "7bit" 1 1))\r\n',
        DONE,
    )
    found = fetch(server, [7, 8])
    assert b"BODYSTRUCTURE" not in found[7]
    assert found[8][b"BODYSTRUCTURE"] == b'( "text" "plain" NIL NIL NIL "7bit" 1 1 )'
