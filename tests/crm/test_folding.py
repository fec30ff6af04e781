"""Which addresses are the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.folding import fold_address, fold_domain, folded_column, spellings
from tests.app.builders import make_user

SAME = [
    ("anna@x.example", "ANNA@X.Example", " anna@x.example "),
    ("anna@x.example", "anna+news@x.example", "Anna+a+b@x.example", "anna@x.example."),
    (
        "a@bücher.example",
        "A@BÜCHER.example",
        "a@xn--bcher-kva.example",
        "a@XN--BCHER-KVA.example",
        "a+b@bücher。example",
    ),
    ("jürgen@x.example", "ju\u0308rgen@x.example", "JÜRGEN@x.example"),
    ("+49123@x.example", "+49123@X.example"),
]
DIFFERENT = [
    ("anna@x.example", "hanna@x.example"),
    ("anna@x.example", "anna@y.example"),
    ("a.nna@x.example", "anna@x.example"),
    ("a@straße.example", "a@strasse.example"),
    ("+49123@x.example", "+49124@x.example"),
    ("a\0b@x.example", "ab@x.example"),
]


@pytest.mark.parametrize("addresses", SAME, ids=lambda each: each[0])
def test_spellings_of_one_address_are_the_same(addresses: tuple[str, ...]) -> None:
    assert len({fold_address(each) for each in addresses}) == 1


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_may_be_two_people_stays_two(one: str, other: str) -> None:
    assert fold_address(one) != fold_address(other)


def test_domains_fold_as_those_of_addresses_do() -> None:
    assert fold_domain("Bücher.Example.") == "xn--bcher-kva.example"
    assert fold_address("a@Bücher.example") == f"a@{fold_domain('bücher.example')}"


@given(st.text(st.characters(codec=None)))
def test_anything_folds_to_what_a_database_holds_and_folding_again_changes_nothing(text: str) -> None:
    for fold in (fold_address, fold_domain):
        folded = fold(text)
        folded.encode("utf-8")
        assert "\0" not in folded
        assert fold(folded) == folded
    assert fold_address(text) in spellings(fold_address(text))


@pytest.mark.parametrize("text", ["", "@", "a@", "@b", "a@@b", "+@", "a+@b", "a@xn--", "a@xn--\udc80", "ü" * 100_000])
def test_nonsense_is_no_reason_to_stop(text: str) -> None:
    assert isinstance(fold_address(text), str)
    assert spellings(fold_address(text))


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789-", max_size=60))
def test_every_spelling_is_something_a_database_holds(label: str) -> None:
    for each in spellings(fold_address(f"a@xn--{label}.example")):
        assert "\0" not in each.encode("utf-8").decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    ["anna@x.example", "Anna+News@X.example", "+49@x.example", "a@b+c.example", "a+b+c@x.example", "nonsense", "a+b"],
)
def test_a_column_folds_as_an_address_does(address: str) -> None:
    user = make_user()
    user.email = address
    user.save()
    found = type(user).objects.annotate(folded=folded_column("email")).get(pk=user.pk)
    assert found.folded in spellings(fold_address(address))
