"""The parsers on mail that was made to break them, and on whatever chance comes up with."""

from __future__ import annotations

import importlib.util
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailaccounts.mail.headers import MAX_ADDRESSES, MAX_MESSAGE_ID, MAX_REFERENCES, MAX_SUBJECT, parse_headers
from mailaccounts.mail.mime import MAX_PARTS, MAX_TEXT
from mailaccounts.mail.parse import parse_message
from tests.letters import CONTACT
from tests.poison import POISON, Poison, cpython_mail


def read(raw: bytes) -> str:
    """Reads everything there is to read, holds it to its bounds, and gives what it says."""
    headers, content = parse_headers(raw), parse_message(raw)
    assert len(headers.subject) <= MAX_SUBJECT
    assert len(headers.participants) <= MAX_ADDRESSES
    assert len(headers.references) <= MAX_REFERENCES
    assert all(len(key) <= MAX_MESSAGE_ID for key in headers.thread_keys)
    assert headers.sent_at is None or headers.sent_at.utcoffset() is not None
    for party in headers.participants:
        assert len(party.address) <= 320 and len(party.name) <= 255 and "@" in party.address
        assert party.address == party.address.lower() and not set(party.address) & set("\r\n\0<>,;")
    assert max(len(content.text), len(content.html)) <= 2 * MAX_TEXT
    assert len(content.attachments) <= MAX_PARTS
    for each in content.attachments:
        assert len(each.name) <= 255 and len(each.content_type) <= 127 and 0 <= each.size <= len(raw)
        assert not set(each.name) & set("/\\\r\n\0")
    everything = f"{headers.subject} {headers.participants} {headers.thread_keys} {content}"
    everything.encode()  # no lone surrogates
    assert "\0" not in headers.subject + content.text + content.html
    return content.text


@pytest.mark.parametrize("poison", POISON, ids=lambda poison: poison.name)
def test_no_message_is_too_bad_to_be_read(poison: Poison) -> None:
    started = time.process_time()
    assert poison.says in read(poison.raw)
    headers = parse_headers(poison.raw)
    assert CONTACT in headers.addresses
    assert headers.message_id == poison.message_id
    assert time.process_time() - started < 10


def test_there_is_poison_enough() -> None:
    assert len({poison.name for poison in POISON}) == len(POISON) >= 60
    assert len({poison.raw for poison in POISON}) == len(POISON)


def test_the_mail_that_cpython_tests_its_parser_with_is_read() -> None:
    """It is there, unless Python was installed without its tests; then a message of our own stands for it."""
    found = cpython_mail()
    installed = importlib.util.find_spec("test") and importlib.util.find_spec("test.test_email")
    assert len(found) >= 40 or not installed
    for raw in (*found.values(), POISON[0].raw):
        read(raw)
        read(raw.replace(b"\n", b"\r\n"))


PIECES = st.sampled_from(
    [
        *(b"From: ", b"To: ", b"Subject: ", b"Message-ID: ", b"References: ", b"Date: ", b"Content-Type: "),
        *(
            b"multipart/mixed",
            b"text/plain",
            b"text/html",
            b"message/rfc822",
            b"; boundary=",
            b"; charset=",
            b"; name=",
        ),
        *(
            b"b",
            b"--b",
            b"--b--",
            b"\r\n",
            b"\r\n\r\n",
            b"\n",
            b"\r",
            b" ",
            b"\t",
            b'"',
            b"\\",
            b"(",
            b")",
            b"<",
            b">",
        ),
        *(b"utf-8", b"utf-7", b"iso-2022-jp", b"Content-Transfer-Encoding: ", b"base64", b"quoted-printable", b"*0*="),
        *(b"Content-Disposition: attachment", b"; filename*=", b"''", b"%ff", b"=?utf-8?b?", b"=?x?q?", b"?=", b"=3D"),
        *(b"QUJD", b"\0", b"\xff", b"\xed\xa0\x80", b"<p>", b"</p>", b"<!--", b"&#0;", b"a@x.test", b", ", b";", b":"),
    ]
)


@settings(max_examples=600, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(PIECES, max_size=60))
def test_mail_put_together_by_chance_is_read(pieces: list[bytes]) -> None:
    read(b"".join(pieces))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=300), st.integers(min_value=0, max_value=10**6), st.sampled_from(POISON))
def test_mail_that_was_damaged_on_its_way_is_read(damage: bytes, place: int, poison: Poison) -> None:
    raw = poison.raw[:4_000]
    at = place % (len(raw) + 1)
    read(raw[:at] + damage + raw[at + len(damage) :])
    read(raw[:at])
