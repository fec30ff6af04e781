"""B9: how often readers of whole messages are wrong about a made-up mailbox, of which the truth is known.

``B9_MESSAGES`` says how many there are.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from fast_mail_parser import DecodeError, parse_email

from mailaccounts.mail import mime
from mailaccounts.testing.mailbox import Person, generate
from tests.benchmarks.measure import compare
from tests.benchmarks.readers import compiled, errors, library, ours

if TYPE_CHECKING:
    from mailaccounts.testing.mailbox import GeneratedMessage

pytestmark = pytest.mark.benchmark

MESSAGES = int(os.environ.get("B9_MESSAGES", "4000"))
READERS = {"ours": ours, "fast-mail-parser": compiled, "email.policy.default": library}


@pytest.fixture(scope="module")
def mailbox() -> list[GeneratedMessage]:
    """A tenth of it is malformed: five times as much as in the mailbox of the other benchmarks."""
    contacts = [Person(name=f"Contact {number}", address=f"contact{number}@example.org") for number in range(100)]
    owner = Person(name="Anna Owner", address="anna@example.com")
    generated = generate(
        MESSAGES, seed=9, owner=owner, contacts=contacts, malformed=0.1, attachment_bytes=(1_000, 20_000)
    )
    return list(generated)


def test_we_are_wrong_less_often_than_either_of_them(mailbox: list[GeneratedMessage]) -> None:
    wrong: dict[str, Counter[str]] = {name: Counter() for name in READERS}
    for message in mailbox:
        for name, read in READERS.items():
            flaw = message.truth.malformed or "well-formed"
            wrong[name].update(f"{flaw}: {error}" for error in errors(read, message.raw, message.truth))
    malformed = sum(bool(message.truth.malformed) for message in mailbox)
    print(f"\nB9 {len(mailbox)} messages, {malformed} of them malformed; errors:")  # noqa: T201 - a benchmark is there to be read
    for name, found in wrong.items():
        print(f"  {name}: {found.total()} {dict(found)}")  # noqa: T201 - a benchmark is there to be read
    print(json.dumps({"name": "B9", **{name: found.total() for name, found in wrong.items()}}))  # noqa: T201 - a benchmark is there to be read
    assert wrong["ours"].total() < min(wrong["fast-mail-parser"].total(), wrong["email.policy.default"].total())
    assert not wrong["ours"]


def test_being_right_costs_little_beside_the_compiled_parser(mailbox: list[GeneratedMessage]) -> None:
    raws = [message.raw for message in mailbox if message.truth.matched]

    def reads() -> None:
        for raw in raws:
            for part in mime.leaves(raw):
                _ = part.text() if part.is_body else part.decoded_size()

    def compiled() -> None:
        for raw in raws:
            with suppress(DecodeError):
                parse_email(raw)

    result = compare(f"parts of {len(raws)} messages", reads, peer_name="fast-mail-parser", peer=compiled, must=4)
    print(f"\n{result.report()}")  # noqa: T201 - a benchmark is there to be read
    assert result.ratio <= result.must
