"""A mailbox as Gmail keeps it: every message once, with labels on it; what IMAP calls folders are views of that.

How it behaves is what Google documents, and what transcripts of its server show; the messages are our own.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.parser import BytesHeaderParser

ALL, DRAFTS, IMPORTANT = "[Gmail]/All Mail", "[Gmail]/Drafts", "[Gmail]/Important"
SENT, SPAM, STARRED, TRASH = "[Gmail]/Sent Mail", "[Gmail]/Spam", "[Gmail]/Starred", "[Gmail]/Trash"
OWN = {  # Gmail's own folders: the attribute in LIST, and the label that puts a message there
    "INBOX": ("", "\\Inbox"),
    ALL: ("\\All", ""),
    DRAFTS: ("\\Drafts", "\\Draft"),
    IMPORTANT: ("\\Important", "\\Important"),
    SENT: ("\\Sent", "\\Sent"),
    SPAM: ("\\Junk", ""),
    STARRED: ("\\Flagged", "\\Starred"),
    TRASH: ("\\Trash", ""),
}
FIRST_ID = 1278455344230334865


@dataclass(slots=True, kw_only=True)
class Kept:
    """A message: ``bin`` is SPAM or TRASH while it is in there, and then in no other folder."""

    raw: bytes
    id: int
    thread: int
    labels: set[str]
    flags: set[str] = field(default_factory=set)
    date: datetime = field(default_factory=lambda: datetime.now(UTC))
    modseq: int = 0
    bin: str = ""


@dataclass(slots=True)
class View:
    """A folder: UIDs by message id, in the order in which messages came to it."""

    uidvalidity: int
    uidnext: int = 1
    uids: dict[int, int] = field(default_factory=dict)


class GmailMailbox:
    """What its owner does with it in a browser. Message ids are given and taken; they name a message for good."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.messages: dict[int, Kept] = {}
        self.views = {name: View(uidvalidity=number) for number, name in enumerate(OWN, start=1)}
        self.hidden: set[str] = set()  # "Show in IMAP" unticked
        self.modseq = 41234  # one for the whole mailbox

    def deliver(self, raw: bytes, *labels: str, thread: int = 0, date: datetime | None = None) -> int:
        """New mail, with ``\\Inbox`` if no other labels are given, in the conversation that it answers."""
        with self.lock:
            key = FIRST_ID + 1111 * len(self.messages)
            kept = Kept(
                raw=raw, id=key, thread=thread or self._answered(raw) or key, labels=set(labels or ["\\Inbox"])
            )
            kept.date = date or kept.date
            self.messages[key] = kept
            self._changed(kept)
            return key

    def send(self, raw: bytes) -> int:
        """What the owner sends is filed at once, as read, without being in the inbox."""
        key = self.deliver(raw, "\\Sent")
        self.flag(key, "\\Seen")
        return key

    def label(self, key: int, *labels: str) -> None:
        with self.lock:
            self.messages[key].labels.update(labels)
            self._changed(self.messages[key])

    def unlabel(self, key: int, *labels: str) -> None:
        with self.lock:
            self.messages[key].labels.difference_update(labels)
            self._changed(self.messages[key])

    def archive(self, key: int) -> None:
        self.unlabel(key, "\\Inbox")

    def flag(self, key: int, flag: str) -> None:
        with self.lock:
            self.messages[key].flags.add(flag)
            self._changed(self.messages[key])

    def unflag(self, key: int, flag: str) -> None:
        with self.lock:
            self.messages[key].flags.discard(flag)
            self._changed(self.messages[key])

    def put(self, key: int, where: str) -> None:
        """Into TRASH or SPAM, or out of either ("")."""
        with self.lock:
            self.messages[key].bin = where
            self._changed(self.messages[key])

    def delete_forever(self, key: int) -> None:
        with self.lock:
            self._changed(self.messages.pop(key))

    def folder_of(self, label: str) -> str:
        return next((name for name, (_, own) in OWN.items() if own == label), label)

    def labels_in(self, folder: str, kept: Kept) -> set[str]:
        """The labels that X-GM-LABELS tells in a folder: all but the folder's own."""
        return {label for label in kept.labels if self.folder_of(label) != folder}

    def _answered(self, raw: bytes) -> int:
        headers = BytesHeaderParser().parsebytes(raw)
        named = set(re.findall(r"<[^>]*>", headers.get("References", "")))
        for kept in self.messages.values():
            if BytesHeaderParser().parsebytes(kept.raw).get("Message-ID") in named:
                return kept.thread
        return 0

    def _changed(self, kept: Kept) -> None:
        """Gives the message a new modification sequence, and every folder what is in it now."""
        self.modseq += 1
        kept.modseq = self.modseq
        for label in kept.labels:
            self.views.setdefault(self.folder_of(label), View(uidvalidity=100 + len(self.views)))
        for name, view in self.views.items():
            there = kept.id in self.messages and self._holds(name, kept)
            if there and kept.id not in view.uids:
                view.uids[kept.id] = view.uidnext
                view.uidnext += 1
            elif not there:
                view.uids.pop(kept.id, None)

    def _holds(self, folder: str, kept: Kept) -> bool:
        if folder in {TRASH, SPAM} or kept.bin:
            return kept.bin == folder
        return folder == ALL or folder in {self.folder_of(label) for label in kept.labels}
