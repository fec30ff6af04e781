"""What of a mail is only repeated."""

from __future__ import annotations

import pytest

from mailaccounts.mail.quotes import FEW_CHARACTERS, FEW_LINES, Passage, fold_html, passages
from mailaccounts.mail.sanitize import clean_html

LONG = "\n".join(f"> line {number}" for number in range(FEW_LINES + 1))


def test_a_long_quotation_is_a_passage_of_its_own() -> None:
    assert passages(f"Yes.\n{LONG}\nRegards") == [
        Passage("Yes.", quoted=False),
        Passage(LONG, quoted=True),
        Passage("Regards", quoted=False),
    ]


def test_few_lines_that_somebody_answers_stay_with_the_answers() -> None:
    text = "> When?\nOn Monday.\n> Where?\nHere."
    assert passages(text) == [Passage(text, quoted=False)]


def test_all_that_follows_the_mark_of_an_original_message_is_quoted() -> None:
    original = "-----Original Message-----\nFrom: Maria\nSubject: Offer\n\nGood morning"
    assert passages(f"Yes.\n{original}") == [Passage("Yes.", quoted=False), Passage(original, quoted=True)]


@pytest.mark.parametrize("text", ["", "\n", ">", LONG, "a\n" * 5, "> a\n" * 100_000, ">" * 500_000])
def test_nothing_of_a_text_is_lost(text: str) -> None:
    assert "\n".join(each.text for each in passages(text)) == text


def test_a_text_of_answers_to_every_line_is_read_in_no_time() -> None:
    text = "> a\nb\n" * 170_000  # a look back for each line would take longer than any test may
    assert "\n".join(each.text for each in passages(text)) == text


def test_a_long_quotation_in_html_opens_on_a_click() -> None:
    quotation = f"<blockquote><p>{'x' * FEW_CHARACTERS}</p><blockquote>y</blockquote></blockquote>"
    folded = fold_html(f"<p>Yes.</p>{quotation}<p>Regards<br></p>")
    assert folded == (f"<p>Yes.</p><details><summary>Quoted text</summary>{quotation}</details><p>Regards<br></p>")
    assert fold_html("<blockquote>short</blockquote>") == "<blockquote>short</blockquote>"


def test_html_of_nothing_but_quotations_is_folded_in_no_time() -> None:
    html = clean_html("<blockquote>" * 300 + "x" * 1000 + "</blockquote><blockquote>y" * 10_000)
    assert len(fold_html(html)) >= len(html)
