"""Whom a blocklist means."""

from __future__ import annotations

import pytest

from mailaccounts.rules.blocking import blocked, pattern_of


@pytest.mark.parametrize(
    ("typed", "pattern"),
    [
        (" Anna@Customer.Example ", "anna@customer.example"),
        ("anna+news@customer.example", "anna+news@customer.example"),
        ("@customer.example", "@customer.example"),
        ("customer.example.", "@customer.example"),
        ("@bücher.example", "@xn--bcher-kva.example"),
        ("anna@straße.example", "anna@xn--strae-oqa.example"),
    ],
)
def test_what_is_typed_becomes_a_pattern(typed: str, pattern: str) -> None:
    assert pattern_of(typed) == pattern


@pytest.mark.parametrize(
    "typed", ["", "@", "anna", "anna@", "anna@localhost", "a b@c.test", "a@b@c.test", "@ü" + "x" * 300]
)
def test_what_is_neither_an_address_nor_a_domain_is_no_pattern(typed: str) -> None:
    assert pattern_of(typed) == ""


@pytest.mark.parametrize(
    ("pattern", "means", "leaves"),
    [
        ("anna@c.test", {"anna@c.test", "anna+news@c.test"}, {"hanna@c.test", "anna@sub.c.test", "anna@c.test.org"}),
        ("anna+news@c.test", {"anna+news@c.test"}, {"anna@c.test", "anna+other@c.test"}),
        (
            "@c.test",
            {"anna@c.test", "anna+x@deep.sub.c.test"},
            {"anna@notc.test", "c.test@other.test", "", "@", "anna"},
        ),
        (
            "anna@xn--bcher-kva.example",
            {"anna@bücher.example", "Anna+x@XN--Bcher-KVA.example.", "anna@bu\u0308cher。example"},
            {"anna@bucher.example", "anna@xn--bcher-kva.example.org"},
        ),
        ("@xn--n3h.example", {"a@☃.example", "a@mail.☃.example."}, {"a@snow.example"}),
    ],
)
def test_a_pattern_means_these_and_leaves_those(pattern: str, means: set[str], leaves: set[str]) -> None:
    assert blocked(means | leaves, patterns=[pattern]) == means


def test_an_empty_list_blocks_nobody() -> None:
    assert blocked({"", "anna@c.test"}, patterns=[]) == set()
