"""Messages left alone that turn out to belong to a contact's conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailaccounts.services.syncing import bystanders
from mailaccounts.services.syncing.bystanders import Bystanders

if TYPE_CHECKING:
    import pytest


def test_a_key_leads_to_messages_through_one_another_and_each_only_once() -> None:
    known = Bystanders()
    known.add(1, 10, ["a", "b"])
    known.add(1, 11, ["b", "c"])
    known.add(2, 5, ["c", "d"])
    known.add(2, 6, ["x"])
    taken, met = known.take(["a"])
    assert {folder: sorted(uids) for folder, uids in taken.items()} == {1: [10, 11], 2: [5]}
    assert met == {hash(key) for key in "abcd"}
    assert known.take(["a", "d"])[0] == {}
    assert known.take(["x"])[0] == {2: [6]}


def test_a_message_without_a_key_can_not_be_led_to_and_is_not_remembered() -> None:
    known = Bystanders()
    known.add(1, 10, [])
    assert known._messages == {}


def test_of_very_many_the_oldest_make_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bystanders, "MOST", 100)
    known = Bystanders()
    for uid in range(1000):
        known.add(1, uid, ["list", f"m{uid}"])
    assert len(known._messages) == 100
    assert len(known._by_key) == 101
    assert sorted(known.take(["list"])[0][1]) == list(range(900, 1000))
    assert known._by_key == known._messages == {}


def test_the_same_message_again_is_remembered_as_it_is_now() -> None:
    known = Bystanders()
    known.add(1, 10, ["a"])
    known.add(1, 10, ["b"])
    assert known.take(["a"])[0] == {}
    assert known.take(["b"])[0] == {1: [10]}
