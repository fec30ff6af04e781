"""Which messages matter, and which belong together."""

from __future__ import annotations

import time

from mailaccounts.rules.threads import Letter, group_letters, matched

MARIA = "maria@customer.test"


def letter(uid: int, *keys: str, addresses: tuple[str, ...] = ("somebody@else.test",)) -> Letter:
    return Letter(uid=uid, keys=keys, addresses=frozenset(addresses))


def test_a_letter_with_a_contact_matters_and_others_do_not() -> None:
    letters = [letter(1, "a", addresses=(MARIA, "me@us.test")), letter(2, "b")]
    assert matched(letters, known={MARIA}, stored={}) == {1}


def test_the_whole_conversation_of_a_contact_matters_before_and_after() -> None:
    letters = [
        letter(1, "question"),
        letter(2, "answer", "question", addresses=(MARIA,)),
        letter(3, "forward", "answer"),
        letter(4, "unrelated"),
    ]
    assert matched(letters, known={MARIA}, stored={}) == {1, 2, 3}


def test_letters_that_answer_the_same_unseen_letter_belong_together() -> None:
    letters = [letter(1, "a", "unseen"), letter(2, "b", "unseen", addresses=(MARIA,))]
    assert matched(letters, known={MARIA}, stored={}) == {1, 2}


def test_an_answer_to_a_stored_conversation_matters() -> None:
    assert matched([letter(1, "new", "old"), letter(2, "x")], known=set(), stored={"old": 5}) == {1}


def test_letters_without_any_message_id_stay_alone() -> None:
    letters = [letter(1), letter(2, addresses=(MARIA,))]
    assert matched(letters, known={MARIA}, stored={}) == {2}
    assert [group.uids for group in group_letters(letters, stored={})] == [[1], [2]]


def test_a_letter_that_joins_two_stored_threads_names_both() -> None:
    (group,) = group_letters([letter(1, "new", "a", "b")], stored={"a": 5, "b": 3})
    assert group.threads == {3, 5}
    assert list(group.keys) == ["new", "a", "b"]


def test_letters_of_one_stored_thread_are_one_group() -> None:
    letters = [letter(1, "x", "a"), letter(2, "y", "b")]
    assert [group.uids for group in group_letters(letters, stored={"a": 5, "b": 5})] == [[1, 2]]


def test_a_long_chain_is_joined_in_little_time() -> None:
    letters = [letter(uid, f"m{uid}", f"m{uid - 1}") for uid in range(1, 50_001)]
    started = time.process_time()
    (group,) = group_letters(letters, stored={})
    assert len(group.uids) == 50_000
    assert time.process_time() - started < 20
