"""What the sync decides to do with a folder."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from mailaccounts.mail.types import FolderState, FolderStatus
from mailaccounts.rules import sync_plan
from mailaccounts.rules.sync_plan import (
    Advance,
    Changed,
    Compare,
    FolderCursor,
    History,
    Restart,
    Resync,
    arrivals,
    compared_now,
    history,
    is_alarming,
    is_quiet,
    look,
    plan,
    within,
)

SPRING, SUMMER, AUTUMN = date(2026, 3, 1), date(2026, 6, 1), date(2026, 9, 1)

# Read up to UID 100, all of history since the summer; last seen with 80 messages.
READ = FolderCursor(
    uidvalidity=7,
    last_uid=100,
    history_until=91,
    history_since=SUMMER,
    history_to=SUMMER,
    uidnext=101,
    exists=80,
    highestmodseq=1000,
)


def seen(**told: Any) -> FolderState:
    return FolderState(**{"uidvalidity": 7, "uidnext": 101, "exists": 80, "highestmodseq": 1000} | told)


def status(**told: Any) -> FolderStatus:
    return FolderStatus(**{"uidvalidity": 7, "uidnext": 101, "exists": 80, "highestmodseq": 1000} | told)


# --- where to begin ---


def test_a_folder_never_seen_has_everything_in_it_as_history() -> None:
    begin = FolderCursor(uidvalidity=7, last_uid=100, history_until=101, history_below=101, history_to=SPRING)
    assert plan(FolderCursor(), seen(), since=SPRING) == Restart(cursor=begin)
    assert history(begin, since=SPRING) == History(below=101, since=SPRING, before=None, begins=False)
    assert plan(begin, seen(), since=SPRING) == Advance(above=None)


def test_an_empty_folder_has_no_history() -> None:
    decision = plan(FolderCursor(), seen(uidnext=1, exists=0), since=None)
    assert isinstance(decision, Restart)
    assert decision.cursor.last_uid == 0
    assert history(decision.cursor, since=None) is None
    assert plan(decision.cursor, seen(uidnext=3), since=None) == Advance(above=0)


def test_another_uidvalidity_begins_again() -> None:
    decision = plan(READ, seen(uidvalidity=8, uidnext=51), since=None)
    assert decision == Restart(cursor=FolderCursor(uidvalidity=8, last_uid=50, history_until=51, history_below=51))


def test_a_uidnext_that_went_backwards_begins_again() -> None:
    decision = plan(READ, seen(uidnext=90), since=None)
    assert decision == Restart(cursor=FolderCursor(uidvalidity=7, last_uid=89, history_until=90, history_below=90))


def test_nothing_new_means_nothing_to_examine() -> None:
    assert plan(READ, seen(), since=SUMMER) == Advance(above=None)


def test_what_arrives_later_is_looked_at_however_old_it_is() -> None:
    assert plan(READ, seen(uidnext=105), since=SUMMER) == Advance(above=100)


# --- history ---


def test_an_interrupted_history_goes_on_where_it_was_and_with_its_date() -> None:
    under_way = replace(READ, history_below=40, history_since=None)
    assert history(under_way, since=SUMMER) == History(below=40, since=SUMMER, before=None, begins=False)


def test_whoever_wants_older_mail_gets_what_lies_between_the_two_dates() -> None:
    assert history(READ, since=SPRING) == History(below=91, since=SPRING, before=SUMMER, begins=True)
    assert history(READ, since=None) == History(below=91, since=None, before=SUMMER, begins=True)


@pytest.mark.parametrize("since", [SUMMER, AUTUMN])
def test_whoever_wants_no_older_mail_has_all_of_it(since: date) -> None:
    assert history(READ, since=since) is None


def test_a_history_without_a_date_is_over_for_good() -> None:
    assert history(replace(READ, history_since=None), since=None) is None


def test_a_date_moved_back_during_a_pass_is_another_pass_so_that_nothing_is_left_out_above() -> None:
    under_way = replace(READ, history_below=40, history_since=None, history_to=SUMMER)
    first = history(under_way, since=SPRING)
    assert first == History(below=40, since=SUMMER, before=None, begins=False)
    over = replace(under_way, history_below=0, history_since=first.since)
    assert history(over, since=SPRING) == History(below=91, since=SPRING, before=SUMMER, begins=True)


def test_a_date_moved_forward_during_a_pass_counts_at_once() -> None:
    under_way = replace(READ, history_below=40, history_since=None, history_to=SUMMER)
    assert history(under_way, since=AUTUMN) == History(below=40, since=AUTUMN, before=None, begins=False)


# --- what changed ---


def test_with_qresync_the_answer_to_select_says_it_all() -> None:
    assert look(READ, seen(resynced=True, highestmodseq=1200), arrived=3) == Resync()


def test_with_condstore_flags_are_asked_for_since_the_last_time() -> None:
    assert look(READ, seen(highestmodseq=1200), arrived=0) == Changed(modseq=1000, expunged=False)
    assert look(READ, seen(), arrived=0) == Changed(modseq=None, expunged=False)


def test_a_message_fewer_than_there_should_be_was_expunged() -> None:
    assert look(READ, seen(exists=83), arrived=3) == Changed(modseq=None, expunged=False)
    assert look(READ, seen(exists=82), arrived=3) == Changed(modseq=None, expunged=True)


def test_without_condstore_flags_are_compared() -> None:
    plain = replace(READ, highestmodseq=None)
    assert look(plain, seen(highestmodseq=None), arrived=0) == Compare(everything=False, expunged=False)
    assert look(plain, seen(highestmodseq=None, exists=79), arrived=0) == Compare(everything=False, expunged=True)


def test_a_server_that_has_begun_or_ceased_to_count_changes_is_compared_with_once() -> None:
    once = Compare(everything=True, expunged=False)
    assert look(replace(READ, highestmodseq=None), seen(), arrived=0) == once
    assert look(READ, seen(highestmodseq=None), arrived=0) == once
    assert look(READ, seen(highestmodseq=900), arrived=0) == once


def test_after_a_sync_that_ran_out_of_time_numbers_prove_nothing() -> None:
    assert look(replace(READ, last_uid=140), seen(uidnext=151, exists=90), arrived=10) == Changed(
        modseq=None, expunged=True
    )


def test_at_a_folders_first_turn_nothing_can_have_changed() -> None:
    assert look(FolderCursor(uidvalidity=7, last_uid=100), seen(), arrived=0) is None


def test_qresync_tells_the_new_messages_too() -> None:
    told = seen(uidnext=104, resynced=True, changed={7: frozenset(), 101: frozenset(), 103: frozenset()})
    assert arrivals(READ, replace(told, vanished=((3, 5), (102, 102)))) == [101, 103]


def test_a_uid_that_qresync_left_out_makes_us_ask() -> None:
    told = seen(uidnext=104, resynced=True, changed={101: frozenset(), 103: frozenset()})
    assert arrivals(READ, told) is None
    assert arrivals(READ, seen(uidnext=104)) is None
    assert arrivals(READ, replace(told, vanished=((1, 90), (102, 200), (102, 102)))) == [101, 103]


# --- the quiet path ---


def test_a_folder_whose_status_is_the_same_is_left_closed() -> None:
    assert is_quiet(READ, status(), inbox=True, compared=None)


@pytest.mark.parametrize(
    "told", [{"uidvalidity": 8}, {"uidnext": 102}, {"exists": 79}, {"highestmodseq": 1001}, {"highestmodseq": None}]
)
def test_any_figure_that_changed_opens_it(told: dict[str, int]) -> None:
    assert not is_quiet(READ, status(**told), inbox=True, compared=timedelta(0))


def test_a_folder_without_a_status_is_opened() -> None:
    assert not is_quiet(READ, None, inbox=False, compared=timedelta(0))


def test_without_condstore_flags_have_to_be_looked_at_now_and_then_and_in_the_inbox_more_often() -> None:
    plain, told = replace(READ, highestmodseq=None), status(highestmodseq=None)
    hour = timedelta(hours=1)
    assert is_quiet(plain, told, inbox=False, compared=hour)
    assert not is_quiet(plain, told, inbox=True, compared=hour)
    assert not is_quiet(plain, told, inbox=False, compared=10 * hour)
    assert not is_quiet(plain, told, inbox=False, compared=None)


# --- comparing in turns ---


def test_every_message_has_its_turn_and_the_newest_have_it_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync_plan, "NEWEST", 3)
    uids = list(range(1, 11))
    below, turns = 0, []
    for _ in range(4):
        turn, below = compared_now(uids, below=below)
        turns.append(turn)
    assert turns == [[5, 6, 7, 8, 9, 10], [2, 3, 4, 8, 9, 10], [1, 8, 9, 10], [5, 6, 7, 8, 9, 10]]
    assert compared_now([4, 9], below=0) == ([4, 9], 0)
    assert compared_now([], below=0) == ([], 0)


def test_expunged_are_those_in_the_ranges() -> None:
    assert within([2, 3, 5, 9, 12, 40], [(30, 39), (4, 9), (3, 3)]) == [3, 5, 9]
    assert within([], [(1, 9)]) == within([1], []) == []


def test_half_a_mailbox_gone_at_once_is_asked_about_again() -> None:
    assert is_alarming(gone=21, stored=40)
    assert not is_alarming(gone=21, stored=42)
    assert not is_alarming(gone=20, stored=20)
