"""Invitations to meetings, as programs and people of ill will write them."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailaccounts.mail.invitation import Guest, Invitation, read_invitation

TEXT = """BEGIN:VCALENDAR\r
METHOD:REQUEST\r
BEGIN:VTIMEZONE\r
TZID:Europe/Berlin\r
BEGIN:STANDARD\r
DTSTART:16010101T030000\r
END:STANDARD\r
END:VTIMEZONE\r
BEGIN:VEVENT\r
SUMMARY;LANGUAGE=en:Kick-off\\, with \r
 lunch\r
DTSTART;TZID=Europe/Berlin:20260105T090000\r
DTEND;TZID=Europe/Berlin:20260105T100000\r
LOCATION:Room 4\\nupstairs\r
ORGANIZER;CN="Anders, Maria":mailto:maria@customer.test\r
ATTENDEE;CN=Jo;PARTSTAT=ACCEPTED:MAILTO:jo@us.test\r
ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:ann@us.test\r
RRULE:FREQ=WEEKLY\r
BEGIN:VALARM\r
SUMMARY:not this\r
END:VALARM\r
END:VEVENT\r
END:VCALENDAR\r
"""


def event(*lines: str) -> Invitation:
    found = read_invitation("\n".join(("BEGIN:VCALENDAR", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR")))
    assert found is not None
    return found


def test_a_request_says_what_when_where_and_who() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert read_invitation(TEXT) == Invitation(
        method="request",
        summary="Kick-off, with lunch",
        location="Room 4 upstairs",
        organiser=Guest(name="Anders, Maria", address="maria@customer.test", answer=""),
        guests=(
            Guest(name="Jo", address="jo@us.test", answer="accepted"),
            Guest(name="", address="ann@us.test", answer=""),
        ),
        starts=datetime(2026, 1, 5, 9, tzinfo=berlin),
        ends=datetime(2026, 1, 5, 10, tzinfo=berlin),
        all_day=False,
        zone="",
        repeats=True,
    )


def test_a_day_and_a_moment_in_utc() -> None:
    day = event("SUMMARY:x", "DTSTART;VALUE=DATE:20260105")
    assert (day.starts, day.all_day) == (date(2026, 1, 5), True)
    assert event("DTSTART:20260105T090000Z").starts == datetime(2026, 1, 5, 9, tzinfo=UTC)


def test_a_zone_that_only_its_sender_knows_is_told_by_its_name() -> None:
    found = event("DTSTART;TZID=W. Europe Standard Time:20260105T090000")
    assert (found.starts, found.zone) == (datetime(2026, 1, 5, 9), "W. Europe Standard Time")


@pytest.mark.parametrize("name", ["/etc/passwd", "../../etc/passwd", "Nowhere/At_All", "x" * 5000])
def test_a_zone_that_is_none_is_no_file(name: str) -> None:
    assert event(f"DTSTART;TZID={name}:20260105T090000").zone == name[:60]


@pytest.mark.parametrize(
    "value", ["", "20261305T090000Z", "20260105T256161Z", "99999999", "00000000T000000Z", "tomorrow"]
)
def test_a_time_that_never_comes_is_left_out(value: str) -> None:
    assert event("SUMMARY:x", f"DTSTART:{value}").starts is None


def test_what_could_turn_a_line_around_is_left_out() -> None:
    assert event("SUMMARY:a\u202eb\x07").summary == "a b"


def test_no_meeting_is_no_invitation() -> None:
    assert read_invitation("") is read_invitation("BEGIN:VCALENDAR\nEND:VCALENDAR") is None


@given(st.text() | st.lists(st.sampled_from(TEXT.splitlines())).map("\n".join))
def test_nothing_that_anybody_writes_raises(text: str) -> None:
    read_invitation(text)


@pytest.mark.parametrize(
    "bomb",
    [
        "ATTENDEE:mailto:a@x.test\n",
        "BEGIN:VEVENT\n",
        "SUMMARY" + ";A=b" * 40_000,
        "A;B=" + ",," * 60_000,
        " \n" * 60_000,
    ],
)
def test_a_bomb_goes_off_quietly(bomb: str) -> None:
    started = time.process_time()
    read_invitation("BEGIN:VCALENDAR\nBEGIN:VEVENT\n" + (bomb * (130_000 // len(bomb) + 1)))
    assert time.process_time() - started < 2
