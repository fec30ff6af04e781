"""What reading mail costs beside the standard library, on a made-up mailbox of 1,000 messages."""

from __future__ import annotations

import email
import email.policy
from email.utils import getaddresses

import pytest

from mailaccounts.mail.headers import parse_headers
from mailaccounts.mail.parse import parse_message
from mailaccounts.testing.mailbox import Person, generate
from tests.benchmarks.measure import compare

pytestmark = pytest.mark.benchmark


@pytest.fixture(scope="module")
def messages() -> list[bytes]:
    contacts = [Person(name=f"Contact {number}", address=f"contact{number}@example.org") for number in range(100)]
    owner = Person(name="Anna Owner", address="anna@example.com")
    generated = generate(1_000, seed=1, owner=owner, contacts=contacts, malformed=0, attachment_bytes=(1_000, 20_000))
    return [message.raw for message in generated]


def test_headers_are_read_faster_than_by_the_standard_library(messages: list[bytes]) -> None:
    blocks = [raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" for raw in messages]

    def read() -> None:
        for block in blocks:
            parsed = parse_headers(block)
            _ = parsed.subject, parsed.sent_at, parsed.participants

    def library() -> None:
        for block in blocks:
            parsed = email.message_from_bytes(block, policy=email.policy.default)
            str(parsed["subject"]), parsed["date"]
            getaddresses([str(value) for field in ("from", "to", "cc") for value in parsed.get_all(field, [])])

    result = compare(
        "headers of 1,000 messages",
        read,
        peer_name="email.policy.default",
        peer=library,
        must=0.3,
    )
    print(f"\n{result.report()}")  # noqa: T201 - a benchmark is there to be read
    assert result.ratio <= result.must


def test_whole_messages_are_read_faster_than_by_the_standard_library(messages: list[bytes]) -> None:
    def library() -> None:
        for raw in messages:
            parsed = email.message_from_bytes(raw, policy=email.policy.default)
            for part in parsed.walk():
                if not part.is_multipart():
                    part.get_content()

    result = compare(
        "1,000 whole messages, HTML cleaned",
        lambda: [parse_message(raw) for raw in messages],
        peer_name="email.policy.default, HTML as it came",
        peer=library,
        must=0.7,
    )
    print(f"\n{result.report()}")  # noqa: T201 - a benchmark is there to be read
    assert result.ratio <= result.must
