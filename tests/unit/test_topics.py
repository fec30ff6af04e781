"""Which messages belong together by their subjects."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailaccounts.rules.topics import Topic, topic_of

WHEN = datetime(2024, 1, 1, 12, tzinfo=UTC)
MARIA, ME, JO = "maria@customer.test", "me@us.test", "jo@us.test"
ASKED = Topic(topic="offer for 200 chairs", people=frozenset({MARIA, ME}), everybody=frozenset({MARIA, ME}), at=WHEN)


def answer(*people: str, topic: str = "re: offer for 200 chairs", after: timedelta = timedelta(days=1)) -> Topic:
    return Topic(topic=topic, people=frozenset(people), everybody=frozenset(people), at=WHEN + after)


@pytest.mark.parametrize(
    ("subject", "topic"),
    [
        ("Offer for 200 chairs", "offer for 200 chairs"),
        ("RE: Offer  for 200\tchairs", "re: offer for 200 chairs"),
        ("AW: Re[2]: WG: Offer for 200 chairs", "re: offer for 200 chairs"),
        ("Fwd: Offer for 200 chairs", "offer for 200 chairs"),
        ("Fwd: Re: Offer for 200 chairs", "offer for 200 chairs"),
        ("Re\uff1a見積もりの件について確認", "re: 見積もりの件について確認"),
    ],
)
def test_a_topic_is_the_subject_without_marks(subject: str, topic: str) -> None:
    assert topic_of(subject, refers=False) == topic


@pytest.mark.parametrize(
    "subject", ["", "Re:", "Re: Hello", "AW: Rechnung", "(No subject)", "Re: ....... !?", "Re: a b c"]
)
def test_what_could_be_about_anything_is_no_topic(subject: str) -> None:
    assert topic_of(subject, refers=False) == ""


def test_an_answer_that_says_what_it_answers_needs_no_subject_for_it() -> None:
    assert topic_of("Re: Offer for 200 chairs", refers=True) == "offer for 200 chairs"


def test_an_answer_among_the_same_people_goes_on() -> None:
    assert answer(MARIA, ME).answers(ASKED)
    assert answer(MARIA, ME, after=timedelta(days=3)).answers(answer(ME, MARIA))


def test_an_answer_that_somebody_else_writes_or_gets_does_not() -> None:
    assert not answer(JO, ME).answers(ASKED)
    assert not answer(MARIA, ME, JO).answers(ASKED)
    assert not answer(MARIA).answers(ASKED)


def test_an_answer_comes_after_what_it_answers_and_not_much_later() -> None:
    assert answer(MARIA, ME, after=timedelta(days=30)).answers(ASKED)
    assert not answer(MARIA, ME, after=timedelta(days=31)).answers(ASKED)
    assert not answer(MARIA, ME, after=timedelta(seconds=-1)).answers(ASKED)


def test_the_same_subject_again_is_no_answer() -> None:
    assert not answer(MARIA, ME, topic=ASKED.topic).answers(ASKED)
    assert not answer(MARIA, ME, topic="re: offer for 300 chairs").answers(ASKED)
