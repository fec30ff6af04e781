"""Reads invitations to meetings (iCalendar, RFC 5545 and 5546), as far as a reader of mail shows them.

A stranger wrote them: whatever can't be understood is left out, in time linear in the length of the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from mailaccounts.mail.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINES = 4000
MAX_GUESTS = 100
MAX_VALUE = 500  # characters

_VALUE = r'(?:"[^"]*"|[^";:,]*)'
_LINE = re.compile(rf"([A-Za-z0-9-]+)((?:;[A-Za-z0-9-]+={_VALUE}(?:,{_VALUE})*)*):(.*)", re.DOTALL)
_PARAMETER = re.compile(r';([A-Za-z0-9-]+)=(?:"([^"]*)"|([^";:,]*))')
_MOMENT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Somebody who is asked to come; ``answer`` as PARTSTAT has it, in lower case, "" for none yet."""

    name: str
    address: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A meeting. ``method`` is what the sender wants (RFC 5546 §1.4), in lower case: "request", "cancel", "reply" …
    ``starts`` and ``ends`` are days of meetings that last all day; of moments in a ``zone`` that we don't know they
    have none."""

    method: str
    summary: str
    location: str
    organiser: Guest | None
    guests: tuple[Guest, ...]
    starts: datetime | date | None
    ends: datetime | date | None
    all_day: bool
    zone: str
    repeats: bool


def read_invitation(text: str) -> Invitation | None:
    """The first meeting in a calendar; None when there is none."""
    method = ""
    event: dict[str, tuple[dict[str, str], str]] = {}
    guests: list[Guest] = []
    within: list[str] = []
    for name, parameters, value in _lines(text):
        if name == "BEGIN":
            within.append(value.strip().upper())
        elif name == "END":
            if within and within.pop() == "VEVENT":
                break
        elif within == ["VCALENDAR"] and name == "METHOD":
            method = one_line(value, 20).lower()
        elif within == ["VCALENDAR", "VEVENT"]:
            if name != "ATTENDEE":
                event.setdefault(name, (parameters, value))
            elif len(guests) < MAX_GUESTS:
                guests.append(_guest(parameters, value))
    if not event:
        return None
    starts, ends = (_moment(*event[name]) if name in event else None for name in ("DTSTART", "DTEND"))
    return Invitation(
        method=method,
        summary=_text(event, "SUMMARY"),
        location=_text(event, "LOCATION"),
        organiser=_guest(*event["ORGANIZER"]) if "ORGANIZER" in event else None,
        guests=tuple(guests),
        starts=starts,
        ends=ends,
        all_day=starts is not None and not isinstance(starts, datetime),
        zone=_zone_unknown(event, starts),
        repeats="RRULE" in event,
    )


def _lines(text: str) -> Iterator[tuple[str, dict[str, str], str]]:
    """Name, parameters and value of each content line (RFC 5545 §3.1), unfolded."""
    unfolded = re.sub(r"\r?\n[ \t]", "", text).splitlines()
    for line in unfolded[:MAX_LINES]:
        if match := _LINE.fullmatch(line):
            found = {name.upper(): quoted or bare for name, quoted, bare in _PARAMETER.findall(match[2])}
            yield match[1].upper(), found, match[3]


def _text(event: dict[str, tuple[dict[str, str], str]], name: str) -> str:
    value = event.get(name, ({}, ""))[1][: 2 * MAX_VALUE]
    return one_line(_ESCAPED.sub(lambda found: " " if found[1] in "nN" else found[1], value), MAX_VALUE)


def _guest(parameters: dict[str, str], value: str) -> Guest:
    scheme, _, address = value.strip().rpartition(":")
    return Guest(
        name=one_line(parameters.get("CN", ""), 255),
        address=one_line(address if scheme.lower() in ("mailto", "") else "", 320),
        answer=one_line(parameters.get("PARTSTAT", ""), 20).lower().removeprefix("needs-action"),
    )


def _moment(parameters: dict[str, str], value: str) -> datetime | date | None:
    match = _MOMENT.fullmatch(value.strip())
    try:
        if match is None:
            return None
        day = date(int(match[1]), int(match[2]), int(match[3]))
        if match[4] is None:
            return day
        zone = UTC if match[7] else _zone(parameters.get("TZID", ""))
        return datetime(day.year, day.month, day.day, int(match[4]), int(match[5]), int(match[6]), tzinfo=zone)
    except ValueError:
        return None


def _zone(name: str) -> ZoneInfo | None:
    """A zone by its name in the tz database; None for the others, Windows' among them."""
    if not re.fullmatch(r"[A-Za-z_]+(/[A-Za-z0-9_+-]+){0,2}", name):
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return None


def _zone_unknown(event: dict[str, tuple[dict[str, str], str]], starts: datetime | date | None) -> str:
    if isinstance(starts, datetime) and starts.tzinfo is None:
        return one_line(event["DTSTART"][0].get("TZID", ""), 60)
    return ""
