"""Recipients as they are typed."""

from __future__ import annotations

import pytest

from mailaccounts.mail import typed
from mailaccounts.mail.compose import Mailbox


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        (" , ;", ()),
        ("a@b.test", (Mailbox(address="a@b.test"),)),
        ("a@b.test; c@d.test,", (Mailbox(address="a@b.test"), Mailbox(address="c@d.test"))),
        ("Maria Anders <a@b.test>", (Mailbox(address="a@b.test", name="Maria Anders"),)),
        ('"Anders, Maria" <a@b.test>', (Mailbox(address="a@b.test", name="Anders, Maria"),)),
        ("not an address", (Mailbox(address="not an address"),)),
        ("a@b.test\r\nBcc: x@y.test", (Mailbox(address="a@b.test\r\nBcc: x@y.test"),)),
        ('"open, a@b.test', (Mailbox(address='"open'), Mailbox(address="a@b.test"))),
    ],
)
def test_what_is_typed_names_people(text: str, found: tuple[Mailbox, ...]) -> None:
    assert typed.read(text) == found


@pytest.mark.parametrize("name", ["", "Maria", "Anders, Maria", 'The "Boss"', "back\\slash", "a <b>"])
def test_what_is_written_reads_back(name: str) -> None:
    mailboxes = (Mailbox(address="a@b.test", name=name), Mailbox(address="c@d.test"))
    assert typed.read(typed.write(mailboxes)) == mailboxes


def test_much_text_takes_little_time() -> None:
    assert len(typed.read('"<' * 50_000)) == 1
