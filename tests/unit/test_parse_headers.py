"""Header blocks, well-formed and otherwise."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime

import pytest

from mailaccounts.mail.headers import MAX_ADDRESSES, MAX_REFERENCES, Headers, parse_headers


def parse(*lines: str | bytes, size: int = 0, internal_date: datetime | None = None) -> Headers:
    raw = b"\r\n".join(line if isinstance(line, bytes) else line.encode() for line in lines) + b"\r\n\r\n"
    return parse_headers(raw, size=size, internal_date=internal_date)


def addresses(*lines: str | bytes) -> list[str]:
    return [party.address for party in parse(*lines).participants]


def test_every_participant_comes_with_role_name_and_lower_case_address() -> None:
    headers = parse(
        'From: "Anders, Maria" <Maria@Customer.TEST>', "Reply-To: desk@customer.test", "To: Me <me@us.test>, x@y.test"
    )
    assert [(party.role, party.name, party.address) for party in headers.participants] == [
        ("from", "Anders, Maria", "maria@customer.test"),
        ("reply_to", "", "desk@customer.test"),
        ("to", "Me", "me@us.test"),
        ("to", "", "x@y.test"),
    ]


def test_encoded_words_become_text_even_when_a_character_is_split_between_two() -> None:
    assert (
        parse("Subject: =?utf-8?q?Gr=C3?=\r\n =?utf-8?q?=BC=C3=9Fe?= aus K=?x?q?=F6?=ln").subject == "Grüße aus Köln"
    )
    assert parse("Subject: =?iso-2022-jp?B?GyRCRnxLXBsoQg==?= (2)").subject == "日本 (2)"
    assert parse("From: =?utf-8?q?M=C3=BCller=2C_Hans?= <h@x.test>").participants[0].name == "Müller, Hans"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Grüße".encode(), "Grüße"),
        ("Grüße".encode("latin-1"), "Grüße"),
        (b"=?klingon?q?Qapla=27?=", "Qapla'"),
        (b"=?idna?q?xn--a?= =?rot13?q?abc?= =?base64?q?x?= =?unicode_escape?q?=5Cu0041?=", "xn--aabcx\\u0041"),
        (b"=?utf-8?b?R3Xd?=", "Gu\N{REPLACEMENT CHARACTER}"),
        (b"a\0b\x07c\td", "ab c d"),
        (b"=?utf-7?q?+2AA-?=", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_whatever_the_charset_the_subject_can_be_stored(raw: bytes, text: str) -> None:
    subject = parse(b"Subject: " + raw).subject
    assert subject == text
    subject.encode()  # no lone surrogates


def test_groups_comments_and_garbage_leave_only_addresses() -> None:
    assert addresses("To: undisclosed-recipients:;") == []
    assert addresses("To: Team: a@x.test, B <b@x.test>;, c@x.test (C)") == ["a@x.test", "b@x.test", "c@x.test"]
    assert addresses("To: nobody, <>, @, a@, @b, <<d@x.test>>, , ;") == ["d@x.test"]
    assert addresses("To: a@x.test", "To: b@x.test, a@x.test") == ["a@x.test", "b@x.test"]
    assert addresses(b"To: a\0@x.test") == ["a@x.test"]
    assert addresses("To: =?utf-8?q?=22Maria=22_=3Cmaria=40customer=2Etest=3E?=") == ["maria@customer.test"]


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("Maria@\uff23.test", "maria@c.test"),
        ("maria@c\u3002test", "maria@c.test"),
        ("zoe\u0308@bu\u0308cher.test", "zo\u00eb@b\u00fccher.test"),
        ("ZO\u00cb@xn--BCHER-kva.test", "zo\u00eb@xn--bcher-kva.test"),
    ],
)
def test_of_the_ways_to_write_an_address_one_is_kept(written: str, address: str) -> None:
    assert parse_headers(f"From: <{written}>\r\n\r\n".encode()).addresses == {address}


def test_a_list_of_addresses_has_an_end() -> None:
    many = ", ".join(f"a{number}@x.test" for number in range(5000))
    assert len(addresses(f"To: {many}")) == MAX_ADDRESSES


@pytest.mark.parametrize(
    ("field", "ids"),
    [
        ("<a@x>", ("a@x",)),
        ("a@x", ("a@x",)),
        ("< a @x >", ("a@x",)),
        ("<a@x> <b@x>", ("a@x",)),
        ("weird", ("weird",)),
        ("", ()),
        ("<>", ()),
    ],
)
def test_message_ids_lose_their_brackets(field: str, ids: tuple[str, ...]) -> None:
    headers = parse(f"Message-ID: {field}")
    assert headers.message_id == (ids[0] if ids else "")


def test_words_in_a_reply_field_are_no_message_ids() -> None:
    assert parse("In-Reply-To: Your message of Mon from jo@x.test").thread_keys == ()
    assert parse("References: weird a@x b@x").references == ()
    assert parse("References: a@x, b@x").references == ("a@x", "b@x")
    named = parse("To: Jo <Jo@x.test>", 'In-Reply-To: Message from Jo <Jo@x.test> of "Mon"')
    assert named.thread_keys == ()


def test_a_message_id_too_long_for_its_column_is_replaced_by_its_hash_everywhere() -> None:
    long = "x" * 300 + "@x"
    sent, answer = parse(f"Message-ID: <{long}>"), parse("Message-ID: <b@x>", f"In-Reply-To: <{long}>")
    assert len(sent.message_id) <= 255
    assert answer.in_reply_to == sent.message_id
    assert answer.thread_keys == ("b@x", sent.message_id)


def test_of_endless_references_the_first_and_the_last_count() -> None:
    references = parse("References: " + " ".join(f"<r{number}@x>" for number in range(1000))).references
    assert len(references) == MAX_REFERENCES
    assert references[0] == "r0@x" and references[-1] == "r999@x"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Mon, 1 Jan 2024 10:00:00 +0200", datetime(2024, 1, 1, 8, tzinfo=UTC)),
        ("1 Jan 2024 10:00:00", datetime(2024, 1, 1, 10, tzinfo=UTC)),
        ("Mon, 31 Feb 2024 10:00:00 +0200", None),
        ("1 Jan 9999 10:00:00 -9999", None),
        ("1 Jan 1500 00:00:00 +0000", None),
        ("yesterday", None),
        ("", None),
        ("9" * 5000, None),
    ],
)
def test_a_date_is_a_date_or_none(text: str, moment: datetime | None) -> None:
    assert parse(f"Date: {text}").sent_at == moment


IDENTITY = (
    "Message-ID: <a@x>",
    "Date: 1 Jan 2024 10:00:00 +0000",
    "From: a@x.test",
    "To: b@x.test",
    "Subject: Hi",
)


def test_a_copy_has_the_same_fingerprint_whatever_its_trace_fields_folding_and_size() -> None:
    copy = ("Received: elsewhere", *reversed(IDENTITY[:-1]), "subject:  Hi\r\n ", "Bcc: c@x.test")
    assert parse(*copy, size=5).fingerprint == parse(*IDENTITY, size=9).fingerprint


def test_a_resent_message_with_the_same_message_id_is_another_one() -> None:
    assert parse(*IDENTITY[:-1], "Subject: Hi again").fingerprint != parse(*IDENTITY).fingerprint


def test_without_a_message_id_the_size_and_without_a_date_the_time_of_arrival_tell_messages_apart() -> None:
    without_id = IDENTITY[1:]
    assert parse(*without_id, size=5).fingerprint == parse(*without_id, size=5).fingerprint
    assert parse(*without_id, size=5).fingerprint != parse(*without_id, size=6).fingerprint
    first, second = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)
    assert parse(size=5, internal_date=first).fingerprint == parse(size=5, internal_date=first).fingerprint
    assert parse(size=5, internal_date=first).fingerprint != parse(size=5, internal_date=second).fingerprint


@pytest.mark.parametrize(
    "hostile",
    [
        b"To: " + b"(" * 200_000,
        b"To: " + b'"' * 200_000,
        b"To: " + b"<" * 200_000,
        b"To: " + b"a@" * 100_000,
        b"To: " + b"," * 200_000,
        b"To: " + b"[" * 200_000,
        b"Subject: " + b"=?a?q?" * 40_000,
        b"Subject: " + b"=?utf-8?q?a?= " * 20_000,
        b"References: " + b"<" * 200_000,
        b"References: " + b"<a@b>" * 40_000,
        b"x: y\r\n" * 100_000,
        b"To:" + b"\r\n a" * 80_000,
    ],
    ids=lambda raw: raw[:16].decode(),
)
def test_hostile_headers_take_little_time(hostile: bytes) -> None:
    started = time.process_time()
    parse_headers(hostile)
    assert time.process_time() - started < 10


def test_any_bytes_at_all_are_read_without_an_error() -> None:
    chance = random.Random(2047)  # noqa: S311 - repeatable, not secret
    names = [b"From", b"To", b"Subject", b"Date", b"Message-ID", b"References", b"In-Reply-To"]
    alphabet = b'=?utf8-qQbB_<>@":;,.()[]\\ \r\n\t\0\x80\xc3\xff019aZ'
    for _ in range(3000):
        value = bytes(chance.choices(alphabet, k=chance.randrange(200)))
        headers = parse_headers(chance.choice(names) + b": " + value)
        for party in headers.participants:
            assert "\0" not in party.address and party.address == party.address.lower() and len(party.address) <= 320
        repr(headers).encode()
