"""Gmail's labels, as they are kept and as they are shown. Those of Gmail's own have a backslash before their name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST = 100  # of one message
INBOX, SENT, IMPORTANT = "\\Inbox", "\\Sent", "\\Important"
OF_ROLE = {"inbox": INBOX, "sent": SENT, "flagged": "\\Starred"}
LEFT_OUT = frozenset({"\\draft", "\\drafts", "\\junk", "\\spam", "\\trash"})  # like the folders of that kind
NAMES = {"\\Inbox": "INBOX", "\\Draft": "Drafts"}


def text(labels: Iterable[str]) -> str:
    """The labels in one text, sorted, a line each; the same ones always give the same text."""
    return "\n".join(sorted({label for label in labels if label and label.isprintable()})[:MOST])


def names(text: str) -> list[str]:
    """What the owner calls the labels in such a text, sorted."""
    return sorted(NAMES.get(label, label.removeprefix("\\")) for label in text.split("\n") if label)


def of_folder(name: str, role: str) -> str:
    """The label that a folder of Gmail's shows the messages of; its owner's have the same name."""
    return OF_ROLE.get(role, IMPORTANT if name.endswith("/Important") else name)


def is_left_out(labels: Iterable[str] | None) -> bool:
    """Whether nobody wants the message in a CRM, as one that isn't written yet."""
    return any(label.lower() in LEFT_OUT for label in labels or ())
