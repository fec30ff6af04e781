"""Labels as they are kept and shown."""

from __future__ import annotations

import pytest

from mailaccounts.rules import labels


def test_the_same_labels_always_give_the_same_text() -> None:
    assert labels.text(["Work", "\\Inbox", "Two words"]) == labels.text({"Two words", "\\Inbox", "Work"})
    assert labels.text(["Work", "\\Inbox"]) == "Work\n\\Inbox"


def test_what_no_database_and_nobody_can_read_is_left_out() -> None:
    assert labels.text(["a\0b", "a\nb", "", "Work"]) == "Work"
    assert len(labels.text(f"L{number}" for number in range(1000)).split("\n")) == 100


def test_the_owner_knows_them_without_backslash() -> None:
    assert labels.names("Work\n\\Important\n\\Inbox\n\\Sent") == ["INBOX", "Important", "Sent", "Work"]
    assert labels.names("") == []


@pytest.mark.parametrize(
    ("name", "role", "label"),
    [
        ("INBOX", "inbox", "\\Inbox"),
        ("[Gmail]/Gesendet", "sent", "\\Sent"),
        ("[Gmail]/Markiert", "flagged", "\\Starred"),
        ("[Gmail]/Important", "other", "\\Important"),
        ("Work/Offers", "other", "Work/Offers"),
    ],
)
def test_a_folder_is_a_label(name: str, role: str, label: str) -> None:
    assert labels.of_folder(name, role) == label


def test_drafts_are_nothing_for_a_crm() -> None:
    assert labels.is_left_out({"\\Inbox", "\\Draft"})
    assert not labels.is_left_out({"\\Inbox", "Draft"})
    assert not labels.is_left_out(None)
