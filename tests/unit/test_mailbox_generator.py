"""The made-up mailbox is the same every time, looks real, and its truth is true: read here by the standard library."""

from __future__ import annotations

import email
import email.policy
from collections import Counter
from email.header import decode_header, make_header
from email.utils import getaddresses
from typing import TYPE_CHECKING

import pytest

from mailaccounts.testing.mailbox import GeneratedMessage, Person, generate

if TYPE_CHECKING:
    from email.message import EmailMessage

OWNER = Person(name="Olga Owner", address="olga@office.test")
CONTACTS = tuple(Person(name=f"Contact {n}", address=f"contact{n}@customer{n}.test") for n in range(12))
KNOWN = {contact.address for contact in CONTACTS}


@pytest.fixture(scope="module")
def mailbox() -> list[GeneratedMessage]:
    small = (500, 4_000)
    return list(
        generate(600, seed=7, owner=OWNER, contacts=CONTACTS, copies=0.02, attachment_bytes=small, crossing=0.2)
    )


@pytest.fixture(scope="module")
def sound(mailbox: list[GeneratedMessage]) -> list[GeneratedMessage]:
    return [message for message in mailbox if not message.truth.malformed]


def parse(message: GeneratedMessage) -> EmailMessage:
    return email.message_from_bytes(message.raw, policy=email.policy.default)


def test_the_same_seed_gives_the_same_bytes() -> None:
    def once(seed: int) -> list[GeneratedMessage]:
        return list(generate(60, seed=seed, owner=OWNER, contacts=CONTACTS))

    assert once(1) == once(1)
    assert once(1) != once(2)


def test_there_are_as_many_as_asked_for_in_order_of_date(mailbox: list[GeneratedMessage]) -> None:
    assert len(mailbox) == 600
    dates = [message.date for message in mailbox]
    assert dates == sorted(dates)
    assert (dates[-1] - dates[0]).days == pytest.approx(300, abs=10)


def test_the_share_with_contacts_is_about_what_was_asked_for(mailbox: list[GeneratedMessage]) -> None:
    assert sum(message.truth.matched for message in mailbox) / 600 == pytest.approx(0.156, abs=0.04)


def test_a_mailbox_without_contacts_matches_nothing() -> None:
    assert not any(message.truth.matched for message in generate(100, seed=1, owner=OWNER, contacts=()))


def test_known_means_that_a_contact_takes_part(mailbox: list[GeneratedMessage]) -> None:
    for message in mailbox:
        taking_part = {address.address for address in message.truth.addresses}
        assert message.truth.known == bool(taking_part & KNOWN), message.truth


def test_matched_means_that_a_contact_takes_part_in_the_thread(mailbox: list[GeneratedMessage]) -> None:
    threads_with_contacts = {message.truth.thread for message in mailbox if message.truth.known}
    for message in mailbox:
        assert message.truth.matched == (message.truth.thread in threads_with_contacts), message.truth
    assert any(message.truth.matched and not message.truth.known for message in mailbox)


def test_references_stay_within_a_thread(mailbox: list[GeneratedMessage]) -> None:
    thread_of = {message.truth.message_id: message.truth.thread for message in mailbox}
    answers = 0
    for message in mailbox:
        for reference in str(parse(message).get("References", "")).split():
            assert thread_of[reference.strip("<>")] == message.truth.thread
            answers += 1
    assert answers > 100


def test_message_ids_are_unique_but_for_copies(mailbox: list[GeneratedMessage]) -> None:
    originals = [message for message in mailbox if not message.truth.copy]
    ids = [message.truth.message_id for message in originals if message.truth.message_id]
    assert len(ids) == len(set(ids))
    copies = [message for message in mailbox if message.truth.copy]
    assert copies
    assert {message.folder for message in copies} == {"Archive"}
    assert {message.truth.message_id for message in copies} <= {*ids, ""}


def test_a_reader_finds_the_headers_the_truth_tells_of(sound: list[GeneratedMessage]) -> None:
    for message in sound:
        parsed, truth = parse(message), message.truth
        assert str(parsed["Message-ID"]).strip() == f"<{truth.message_id}>"
        assert str(parsed["Subject"]) == truth.subject
        raw = email.message_from_bytes(message.raw)  # the newer policy puts blanks between encoded words of a name
        found = {
            (role, str(make_header(decode_header(name))), address.lower())
            for role in ("from", "to", "cc", "reply-to")
            for name, address in getaddresses(raw.get_all(role, []))
        }
        assert found == {(each.role, each.name, each.address) for each in truth.addresses}


def test_a_reader_finds_the_text_and_html_the_truth_tells_of(sound: list[GeneratedMessage]) -> None:
    for message in sound:
        parsed, truth = parse(message), message.truth
        for kind, expected in (("plain", truth.text), ("html", truth.html)):
            part = parsed.get_body((kind,))
            content = part.get_content() if part is not None else ""
            assert content.replace("\r\n", "\n").removesuffix("\n") == expected


def test_a_reader_finds_the_attachments_the_truth_tells_of(sound: list[GeneratedMessage]) -> None:
    seen = 0
    for message in sound:
        found = [
            (part.get_filename(), part.get_content_type(), len(part.get_payload(decode=True)))
            for part in parse(message).walk()
            if part.get_filename()
        ]
        assert found == [(each.name, each.content_type, each.size) for each in message.truth.attachments]
        seen += len(found)
    assert seen > 20


def test_the_mail_is_varied(mailbox: list[GeneratedMessage]) -> None:
    charsets = Counter(message.truth.charset for message in mailbox)
    assert len(charsets) >= 10
    assert {message.folder for message in mailbox} == {"INBOX", "Sent", "Archive"}
    raw = b"".join(message.raw for message in mailbox)
    for sign in (b"List-Unsubscribe", b"=?utf-8?B?", b"?Q?", b"multipart/related", b"filename*=", b"DKIM-Signature"):
        assert sign in raw


def test_some_are_malformed_on_purpose_and_say_so() -> None:
    flaws = Counter(
        message.truth.malformed
        for message in generate(400, seed=3, owner=OWNER, contacts=CONTACTS, malformed=1.0, attached=0)
    )
    assert len(flaws) == 14
    assert "" not in flaws


def test_malformed_mail_keeps_its_addresses() -> None:
    for message in generate(400, seed=3, owner=OWNER, contacts=CONTACTS, malformed=1.0, attached=0):
        parsed = email.message_from_bytes(message.raw)
        ((_, address),) = getaddresses(parsed.get_all("From", []))
        assert ("from", address.lower()) in {(each.role, each.address) for each in message.truth.addresses}


def test_no_line_breaks_what_imap_and_smtp_allow(mailbox: list[GeneratedMessage]) -> None:
    for message in mailbox:
        assert b"\0" not in message.raw
        assert b"\n" not in message.raw.replace(b"\r\n", b"")
        assert b"\r" not in message.raw.replace(b"\r\n", b"")
