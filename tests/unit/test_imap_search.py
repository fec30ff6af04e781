"""Reading the answers to SEARCH, of both kinds, and of servers that make them up."""

from __future__ import annotations

from datetime import date

import pytest

from mailaccounts.errors import BudgetExceeded
from mailaccounts.mail.abilities import Abilities
from mailaccounts.mail.headers import ADDRESS_FIELDS
from mailaccounts.mail.imap_responses import UnreadableAnswer
from mailaccounts.mail.imap_search import (
    MOST_UIDS,
    Search,
    ascending,
    criteria,
    of_conversation,
    of_provider_thread,
    with_person,
)
from tests.unit.recorded import Recorded


def search(*lines: bytes, end: bytes = b"W1 OK done\r\n") -> Search:
    server = Recorded(*(line + b"\r\n" for line in lines), end)
    return server.pipeline.ask(Search("ALL", ranges=True, line_bytes=100_000))


def test_ranges_are_asked_for_where_the_server_has_them() -> None:
    server = Recorded(b"W1 OK .\r\nW2 OK .\r\n")
    server.pipeline.ask(Search("UID", "1:*", ranges=True, line_bytes=1000))
    server.pipeline.ask(Search("UID", "1:*", ranges=False, line_bytes=1000))
    assert server.sent == b"W1 UID SEARCH RETURN (ALL) UID 1:*\r\nW2 UID SEARCH UID 1:*\r\n"


@pytest.mark.parametrize(
    "line",
    [
        b"* SEARCH 3 5 6 7",
        b"* search 7 6 5 3",
        b'* ESEARCH (TAG "W1") UID ALL 3,5:7',
        b'* esearch (tag "W1") uid all 7:5,3',
        b"* ESEARCH UID ALL 3,5:7",
        b'* ESEARCH (TAG "W1") UID COUNT 4 ALL 3,5:7 MODSEQ 99',
    ],
)
def test_the_uids_found(line: bytes) -> None:
    assert ascending(search(line).numbers) == [3, 5, 6, 7]


@pytest.mark.parametrize(
    "line", [b"* SEARCH", b'* ESEARCH (TAG "W1") UID', b"* 5 EXISTS", b'* ESEARCH (TAG "X") UID ALL 1']
)
def test_nothing_found_or_nothing_of_ours(line: bytes) -> None:
    assert search(line).numbers == []


def test_what_is_no_uid_is_not_found() -> None:
    assert search(b"* SEARCH 0 4294967296 5 " + b"9" * 50).numbers == [5]


@pytest.mark.parametrize(
    "line",
    [
        b'* ESEARCH (TAG "W1") ALL 1:3',  # sequence numbers
        b'* ESEARCH (TAG "W1") UID ALL 1:*',
        b'* ESEARCH (TAG "W1") UID ALL $',
        b'* ESEARCH (TAG "W1") UID ALL 1:2:3',
    ],
)
def test_ranges_that_make_no_sense_are_unreadable(line: bytes) -> None:
    with pytest.raises((UnreadableAnswer, ValueError)):
        search(line)


@pytest.mark.parametrize("text", [b"1:4294967295", b"1:1048577", b"1:1000000,2000000:2048577"])
def test_more_uids_than_anybody_has_are_never_expanded(text: bytes) -> None:
    with pytest.raises(BudgetExceeded):
        search(b'* ESEARCH (TAG "W1") UID ALL ' + text)


def test_answers_that_repeat_themselves_end() -> None:
    assert len(search(b'* ESEARCH (TAG "W1") UID ALL 1:%d' % MOST_UIDS).numbers) == MOST_UIDS
    with pytest.raises(BudgetExceeded):
        search(b'* ESEARCH (TAG "W1") UID ALL 1:%d' % MOST_UIDS, b"* SEARCH 1")


def test_a_search_that_looked_at_the_highest_only_says_how_far_it_came() -> None:
    assert search(b"* SEARCH 9 8", end=b"W1 OK [MESSAGELIMIT 2 8] partial\r\n").cut_at == 8
    assert search(b"* SEARCH 9 8", b"* NO [MESSAGELIMIT 2 8] partial").cut_at == 8
    assert search(b"* SEARCH 9 8").cut_at is None


def test_criteria_name_what_lies_between_and_days_in_english() -> None:
    assert criteria(above=0, below=None, since=None, before=None) == ["UID", "1:*"]
    days = {"since": date(2026, 3, 1), "before": date(2027, 12, 31)}
    assert criteria(above=4, below=9, **days) == ["UID", "5:8", "SINCE", "01-Mar-2026", "BEFORE", "31-Dec-2027"]


@pytest.mark.parametrize(
    ("pattern", "asked"),
    [
        ("anna@c.test", b'(FROM "c.test" FROM "anna")'),
        ("@c.test", b'(FROM "c.test")'),
        ("änna@c.test", b'(FROM "c.test")'),
        ('a"b@c.test', b'(FROM "c.test" FROM "a\\"b")'),
    ],
)
def test_people_are_searched_for_in_each_role(pattern: str, asked: bytes) -> None:
    criteria = with_person(pattern)
    assert criteria[0] == asked
    asked_for = [
        each.split(b' "')[0].removeprefix(b"(").removeprefix(b"HEADER ").lower().decode() for each in criteria
    ]
    assert tuple(asked_for) == ADDRESS_FIELDS, "who counts in mail that arrives is looked for in that of the past"


def test_a_domain_that_is_written_in_unicode_as_well_is_asked_for_so_in_utf_8() -> None:
    asked = with_person("anna@xn--bcher-kva.test")
    assert asked[0] == b'(FROM "xn--bcher-kva.test" FROM "anna")'
    assert asked[len(ADDRESS_FIELDS)] == b'(FROM {12+}\r\nb\xc3\xbccher.test FROM "anna")'
    assert len(asked) == 2 * len(ADDRESS_FIELDS)
    words = criteria(above=0, below=None, since=None, before=None, any_of=asked)
    assert words[:4] == ["CHARSET", "UTF-8", "UID", "1:*"]


@pytest.mark.parametrize(
    "domain", ["xn--.test", "xn--a.test", "xn--zzzzzzzz.test", "xn--" + "a" * 300, "xn--bcher-kva.t t"]
)
def test_what_only_looks_as_if_it_were_in_unicode_is_asked_for_as_it_is(domain: str) -> None:
    assert all(each.isascii() for each in with_person(f"@{domain}"))


@pytest.mark.parametrize("odd", ["anna@bücher.test", "a@c\r\nW1 DELETE INBOX", "a@c\0", "a@provider thread 1", ""])
def test_what_cannot_be_asked_in_ascii_is_not_asked(odd: str) -> None:
    assert with_person(odd) == of_conversation(odd) == []


def test_any_of_several_is_written_as_nested_ors() -> None:
    words = criteria(above=0, below=None, since=None, before=None, any_of=[b"A", b"B", b"C"])
    assert words == ["UID", "1:*", b"OR", b"OR", b"A", b"B", b"C"]


def test_a_providers_conversation_is_asked_for_where_there_are_such() -> None:
    assert of_provider_thread("127845", Abilities(gmail=True)) == [b"X-GM-THRID 127845"]
    assert of_provider_thread("T-1_a", Abilities(object_id=True)) == [b"THREADID T-1_a"]
    assert of_provider_thread("127845", Abilities()) == of_provider_thread("1 OR ALL", Abilities(gmail=True)) == []
