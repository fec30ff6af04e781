"""Who stands in an address field, and who only seems to."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailaccounts.mail.mailboxes import _read, mailboxes

CONTACT = "contact@c.test"


@pytest.mark.parametrize(
    "field",
    [
        "contact@c.test",
        "<contact@c.test>",
        "Con Tact <contact@c.test>",
        '"Tact, Con" <contact@c.test>',
        "Con Tact < contact @ c . test >",
        "contact(comment)@(x (y))c.test (Con Tact)",
        "Team: contact@c.test;",
        "<@a,@b:contact@c.test>",
        "@a:contact@c.test",
        "<mailto:contact@c.test>",
        '"contact"@c.test',
        "'contact@c.test'",
        "contact@c.test.",
        '"Tact" contact@c.test',
        "contact@evil.test <contact@c.test>",  # what stands before the brackets is a name
        '"contact@evil.test" <contact@c.test>',
        "contact@c.test (contact@evil.test)",
        'half a quote " <contact@c.test>',
        "half a comment ( <contact@c.test>",
        r"x\@evil.test <contact@c.test>",
        ",,contact@c.test,",
    ],
)
def test_the_address_is_where_an_address_stands(field: str) -> None:
    assert [address for _, address in mailboxes(field)] == [CONTACT]


@pytest.mark.parametrize(
    "field",
    [
        "(contact@c.test)",
        '"contact@c.test"',
        "contact@c.test@evil.test",
        "contact@c.test:;",
        "undisclosed-recipients:;",
        "<con@x.test:tact@c.test>",
        "<>",
        "@",
        "contact@",
        "@c.test",
        "contact",
        "",
    ],
)
def test_what_only_looks_like_one_is_none(field: str) -> None:
    assert list(mailboxes(field)) == []


def test_a_local_part_that_has_to_be_quoted_stays_quoted() -> None:
    assert list(mailboxes('"contact@c.test"@evil.test')) == [("", '"contact@c.test"@evil.test')]


def test_names_are_told_without_their_quotes() -> None:
    field = r'"Tact, \"Con\"" <a@x.test>, b@x.test (B), C D <c@x.test>, E e@x.test'
    assert list(mailboxes(field)) == [
        ('Tact, "Con"', "a@x.test"),
        ("", "b@x.test"),
        ("C D", "c@x.test"),
        ("E", "e@x.test"),
    ]


@pytest.mark.parametrize(
    "text", ['<"', '"<', r"\"", r"<\"", '"', "<", "(", "()", "(a", "<@", "a@b ", "@", ".", "a:", "'", "\\", " ", "\t."]
)
def test_no_field_takes_long(text: str) -> None:
    started = time.process_time()
    list(mailboxes(text * (100_000 // len(text))))
    list(mailboxes('"' + text * (100_000 // len(text))))
    list(mailboxes("<" + text * (100_000 // len(text))))
    list(mailboxes("<" + text * (100_000 // len(text)) + ">"))
    list(mailboxes("a" + text * (100_000 // len(text)) + "@b.test"))
    assert time.process_time() - started < 5


PIECES = st.sampled_from(
    [
        *"\"\\<>,;:()@.' \t[]",
        "a",
        "Jo",
        "a@b.test",
        "<a@b.test>",
        '"Tact, Con"',
        "Jo <jo@c.test>",
        ", ",
        "x.",
        "ö",
        "\0",
    ]
)


@settings(max_examples=500, deadline=None, derandomize=True)
@example(["a@b.test,"])
@example(["x. a@b.test"])
@example(['"', "Tact, Con", '"', "a@b.test", "<a@b.test>"])
@given(st.lists(PIECES, max_size=14))
def test_what_is_written_plainly_is_read_as_the_long_way_reads_it(pieces: list[str]) -> None:
    field = "".join(pieces)
    assert list(mailboxes(field)) == list(_read(field))
