"""Messages as they go out: right for every reader, and nothing of what was typed or received gets out of its place."""

from __future__ import annotations

import email
import email.policy
import re
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailaccounts.errors import InvalidInput, MailAccountsError, UnsafeArgument
from mailaccounts.mail.compose import (
    MOST_REFERENCES,
    Draft,
    Enclosure,
    Mailbox,
    adopt,
    compose,
    new_message_id,
    wire_address,
)
from mailaccounts.mail.headers import parse_headers
from mailaccounts.mail.text import one_line

SENDER = Mailbox(address="jo@example.test", name="Jo")
NOW = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)


def raw(**changes: Any) -> bytes:
    to = (Mailbox(address="maria@customer.test"),)
    return compose(Draft(**{"sender": SENDER, "to": to, "message_id": "id@example.test", "date": NOW, **changes}))


def read(message: bytes) -> EmailMessage:
    parsed = email.message_from_bytes(message, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def test_a_plain_message() -> None:
    message = read(raw(subject="Grüße", text="Hällo\n"))
    assert dict(message.items()) == {
        "From": "Jo <jo@example.test>",
        "To": "maria@customer.test",
        "Subject": "Grüße",
        "Date": "Thu, 26 Nov 2026 09:30:00 +0000",
        "Message-ID": "<id@example.test>",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Transfer-Encoding": message["Content-Transfer-Encoding"],
        "MIME-Version": "1.0",
    }
    assert message.get_content() == "Hällo\r\n"


@pytest.mark.parametrize(
    "changes",
    [
        {"text": "ü" * 5000},
        {"text": "x" * 5000, "html": "<p>" + "ü" * 5000},
        {"text": "From here\n.\n..\r\nbare\rreturn"},
        {"subject": "Ä" * 300},
        {"to": tuple(Mailbox(address=f"{n}@customer.test", name="Müller, " * 20) for n in range(200))},
        {"enclosures": (Enclosure(name="ü" * 200, content_type="text/plain", content=bytes(range(256)) * 100),)},
        {"enclosures": (Enclosure(name="", content_type="message/rfc822", content=b"Subject: \xfc\r\n\r\n\xfc"),)},
        {"enclosures": (Enclosure(name="x", content_type="multipart/mixed", content=b"--a\r\n"),)},
    ],
)
def test_whatever_is_in_it_its_lines_are_short_and_in_ascii(changes: dict[str, Any]) -> None:
    message = raw(**changes)
    assert message.isascii()
    assert max(map(len, message.split(b"\r\n"))) <= 998
    assert b"\n" not in message.replace(b"\r\n", b"")


BREAKS = ["\r", "\n", "\0", "\r\n", "\v", "\f", "\x1c", "\x85", "\u2028", "\x7f", "\ud800"]


@pytest.mark.parametrize("character", BREAKS)
@pytest.mark.parametrize(
    "field",
    [
        lambda text: {"subject": text},
        lambda text: {"sender": Mailbox(address="jo@example.test", name=text)},
        lambda text: {"to": (Mailbox(address="maria@customer.test", name=text),)},
        lambda text: {"cc": (Mailbox(address=f"{text}@customer.test"),)},
        lambda text: {"to": (Mailbox(address=f"maria@{text}"),)},
        lambda text: {"enclosures": (Enclosure(name=text, content_type="text/plain", content=b""),)},
    ],
    ids=["subject", "sender", "name", "local part", "domain", "file"],
)
def test_no_line_break_gets_into_a_header(field: Any, character: str) -> None:
    with pytest.raises(UnsafeArgument):
        raw(**field(f"a{character}Bcc: x@y.test"))


@pytest.mark.parametrize(
    "address",
    [
        *("", "maria", "maria@", "@customer.test", "a b@customer.test", "a@b@c.test", "a@b c.test", "a@b..test"),
        *("<a@b.test>", "a,b@customer.test", 'a"b@customer.test', "mária@customer.test", "a@-b.test", ".a@b.test"),
        *("a" * 65 + "@b.test", "a@" + "b" * 64 + ".test", "a@" + ".".join(["b" * 60] * 5), "a@[127.0.0.1]"),
        "a@b.test, c@d.test",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidInput):
        wire_address(address)


@pytest.mark.parametrize("address", ["no address", "maria, or whoever is in", "maria@b..test"])
def test_whatever_is_no_address_is_quoted_in_the_sentence_that_says_so(address: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        wire_address(f" {address} ")
    assert refused.value.message == f"The address “{address}” can't be used. Correct it and try again."


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("Maria@Customer.TEST", "Maria@customer.test"),
        (" maria@customer.test ", "maria@customer.test"),
        ("jo@bücher.example", "jo@xn--bcher-kva.example"),
        ("jo@straße.example", "jo@xn--strae-oqa.example"),  # IDNA 2003 would write to somebody at strasse.example
        ("o'neil+x@b.test", "o'neil+x@b.test"),
    ],
)
def test_domains_are_encoded(address: str, expected: str) -> None:
    assert wire_address(address) == expected


def test_a_file_type_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput):
        raw(enclosures=(Enclosure(name="a", content_type="text/plain\r\nX: y", content=b""),))


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_a_text_that_no_mail_can_hold_is_refused(text: str) -> None:
    with pytest.raises(UnsafeArgument):
        raw(text=text)


# --- threads ---


def test_long_message_ids_stay_what_they_are() -> None:
    """The library would encode them, and no client would know them again."""
    ids = tuple(f"{'x' * 150}{number}@prod.outlook.test" for number in range(3))
    headers = parse_headers(raw(in_reply_to=ids[-1], references=ids, message_id="y" * 200 + "@example.test"))
    assert (headers.in_reply_to, headers.references) == (ids[-1], ids)
    assert headers.message_id == "y" * 200 + "@example.test"


def test_of_many_references_the_first_and_the_newest_are_kept() -> None:
    ids = tuple(f"{number}@a.test" for number in range(1000))
    kept = parse_headers(raw(references=ids)).references
    assert len(kept) == MOST_REFERENCES
    assert kept == (ids[0], *ids[1 - MOST_REFERENCES :])


@pytest.mark.parametrize("bad", ["a b@c", "a>\r\nBcc: x@y", "ä@b", "sha256 " * 60, "<a@b>", ""])
def test_a_message_id_that_cannot_be_one_is_left_out(bad: str) -> None:
    message = raw(in_reply_to=bad, references=(bad, "good@a.test"))
    assert parse_headers(message).references == ("good@a.test",)
    assert b"In-Reply-To" not in message
    assert b"Bcc" not in message


def test_a_message_id_is_at_the_accounts_domain_and_nobody_elses() -> None:
    first, second = (new_message_id("jo@bücher.example") for _ in range(2))
    assert first != second
    assert re.fullmatch(r"[0-9a-f]{32}@xn--bcher-kva\.example", first)


# --- whatever people are called ---

NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=100)


@given(names=st.lists(NAMES, min_size=1, max_size=5))
@settings(deadline=None)
def test_a_name_never_changes_whom_a_message_is_for(names: list[str]) -> None:
    to = tuple(Mailbox(address=f"{number}@customer.test", name=name) for number, name in enumerate(names))
    headers = parse_headers(raw(to=to))
    assert [address for role, _, address in headers.mailboxes if role == "to"] == [each.address for each in to]
    shown = [party.name for party in headers.participants if party.role == "to"]
    assert shown == [one_line(name, 255) for name in names]


@given(text=st.text(max_size=200))
@settings(deadline=None)
def test_whatever_is_typed_as_a_subject_is_refused_or_stays_one(text: str) -> None:
    try:
        message = raw(subject=text)
    except MailAccountsError:
        return
    assert len(read(message).keys()) == len(read(raw()).keys())
    assert parse_headers(message).subject == one_line(text, 2000)


# --- composed elsewhere ---

ELSEWHERE = (
    "From: crm@localhost\nTo: a@b.test\nBcc: secret@b.test\n"
    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nMessage-ID: <old@x>\n"
    "Auto-Submitted: auto-generated\nX-Ours: 1\nContent-Type: text/plain; charset=utf-8\n"
    "Content-Transfer-Encoding: 8bit\n\nHällo\n"
)


def test_a_message_composed_elsewhere_keeps_its_headers_but_sender_and_id() -> None:
    adopted = adopt(ELSEWHERE.encode(), sender=SENDER, message_id="new@example.test")
    assert adopted.isascii()
    message = read(adopted)
    assert (message["From"], message["Message-ID"]) == ("Jo <jo@example.test>", "<new@example.test>")
    assert message["Subject"] == "Grüße"
    assert (message["Auto-Submitted"], message["X-Ours"], message["Bcc"]) == ("auto-generated", "1", None)
    assert message.get_content().splitlines() == ["Hällo"]
