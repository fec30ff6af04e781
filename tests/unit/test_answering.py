"""What an answer begins with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mailaccounts.mail.answering import Original, forward, mailbox, reply, without
from mailaccounts.mail.compose import Mailbox

ME, MARIA, PAUL, LIST = (
    Mailbox(address=address, name=name)
    for address, name in (
        ("jo@example.test", "Jo"),
        ("maria@customer.test", "Maria"),
        ("paul@customer.test", ""),
        ("list@lists.test", ""),
    )
)
OWN = {"jo@example.test", "jo@alias.test"}


def original(**changes: Any) -> Original:
    return Original(
        **{
            "message_id": "2@customer.test",
            "references": ("1@customer.test",),
            "subject": "Offer",
            "sender": (MARIA,),
            "to": (ME, PAUL),
            "cc": (LIST,),
            "sent_at": datetime(2026, 11, 26, 9, 30, tzinfo=UTC),
            "text": "one\n> two",
            **changes,
        }
    )


def test_a_reply_goes_to_whoever_wrote_and_belongs_to_the_conversation() -> None:
    answer = reply(original(), own=OWN)
    assert (answer.to, answer.cc, answer.subject) == ((MARIA,), (), "Re: Offer")
    assert (answer.in_reply_to, answer.references) == ("2@customer.test", ("1@customer.test", "2@customer.test"))
    assert answer.text == "\n\nOn Thu, 26 Nov 2026 09:30, Maria wrote:\n> one\n>> two"


@pytest.mark.parametrize(
    ("changes", "to", "cc"),
    [
        ({}, (MARIA,), (PAUL, LIST)),
        ({"reply_to": (LIST,)}, (LIST,), (PAUL,)),
        ({"to": (ME, MARIA), "cc": (PAUL, PAUL)}, (MARIA,), (PAUL,)),
        ({"to": (Mailbox(address="JO@Alias.test"),), "cc": ()}, (MARIA,), ()),
        ({"sender": (ME,), "to": (MARIA,), "cc": (PAUL, ME)}, (MARIA,), (PAUL,)),  # one's own
        ({"sender": (ME,), "to": (ME,), "cc": ()}, (ME,), ()),  # a note to oneself
    ],
)
def test_a_reply_to_everyone_goes_to_everyone_else_once(
    changes: dict[str, Any], to: tuple[Mailbox, ...], cc: tuple[Mailbox, ...]
) -> None:
    answer = reply(original(**changes), own=OWN, everyone=True)
    assert (answer.to, answer.cc) == (to, cc)


@pytest.mark.parametrize(
    ("subject", "replied", "forwarded"),
    [
        ("", "Re:", "Fwd:"),
        ("Offer", "Re: Offer", "Fwd: Offer"),
        ("Re: Offer", "Re: Offer", "Fwd: Re: Offer"),
        ("RE: AW: re[2]: Offer", "Re: Offer", "Fwd: RE: AW: re[2]: Offer"),
        ("Fwd: WG: Offer", "Re: Fwd: WG: Offer", "Fwd: Offer"),
        ("Re\uff1aOffer", "Re: Offer", "Fwd: Re\uff1aOffer"),
        ("Regarding: x", "Re: Regarding: x", "Fwd: Regarding: x"),
    ],
)
def test_marks_before_a_subject_do_not_pile_up(subject: str, replied: str, forwarded: str) -> None:
    assert reply(original(subject=subject), own=OWN).subject == replied
    assert forward(original(subject=subject)).subject == forwarded


def test_without_a_message_id_the_conversation_is_what_is_known_of_it() -> None:
    answer = reply(original(message_id=""), own=OWN)
    assert (answer.in_reply_to, answer.references) == ("", ("1@customer.test",))


def test_what_is_passed_on_names_who_wrote_it_and_is_a_conversation_of_its_own() -> None:
    answer = forward(original())
    assert (answer.to, answer.in_reply_to, answer.references) == ((), "", ())
    assert answer.text.splitlines()[2:] == [
        "---------- Forwarded message ----------",
        "From: Maria <maria@customer.test>",
        "Date: Thu, 26 Nov 2026 09:30 +0000",
        "Subject: Offer",
        "To: Jo <jo@example.test>, paul@customer.test",
        "Cc: list@lists.test",
        "",
        "one",
        "> two",
    ]


def test_a_name_turns_nothing_around() -> None:
    assert mailbox("a@b.test", "Maria \u202e<moc.knab@ssob>\u2066").name == "Maria <moc.knab@ssob>"
    assert (
        mailbox("a@b.test", "\u05de\u05e8\u05d9\u05d4 \u0645\u200c\u0627").name
        == "\u05de\u05e8\u05d9\u05d4 \u0645\u200c\u0627"
    )


QUOTED = "\n\nOn Mon, 02 Mar 2026 10:00, Maria wrote:\n> How much?\n>\n> Thanks"
PASSED_ON = "\n\n---------- Forwarded message ----------\nFrom: Maria <m@c.test>\nSubject: Offer\n\nThanks,\nMaria"


@pytest.mark.parametrize(
    ("text", "quoted", "own"),
    [
        (f"Dear Maria,\n\n-- \nAnna{QUOTED}", QUOTED, "Dear Maria,\n\n-- \nAnna"),
        ("Mine\n\nOn Mon, 02 Mar 2026 10:00, Maria wrote:\n> How much?\nTwo.\n> Thanks", QUOTED, "Mine\n\nTwo."),
        ("Mine\n> How much? (changed)\nTwo.", QUOTED, "Mine\nTwo."),
        (f"Thanks,\nAnna{PASSED_ON}\nP.S. Read this.", PASSED_ON, "Thanks,\nAnna\nP.S. Read this."),
        (f"Thanks,\nAnna{PASSED_ON}".replace("Offer", "My offer"), PASSED_ON, "Thanks,\nAnna\n\nSubject: My offer"),
        ("All of it is mine.\n> Even this", "", "All of it is mine.\n> Even this"),
    ],
)
def test_what_was_quoted_is_taken_out_and_what_the_author_wrote_stays(text: str, quoted: str, own: str) -> None:
    left = without(text, quoted)
    assert [line for line in left.split("\n") if line] == [line for line in own.split("\n") if line]
