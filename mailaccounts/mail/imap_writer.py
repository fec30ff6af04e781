"""Changing messages of the open folder: their flags, their labels, where they lie (RFC 9051 §6.4.6, RFC 6851)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailaccounts.errors import CannotMove
from mailaccounts.mail.imap_connection import quote_folder
from mailaccounts.mail.imap_parts import ImapParts
from mailaccounts.mail.imap_pipeline import Command
from mailaccounts.mail.uids import chunks, each_range, uid_set

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

AT_ONCE = 500  # messages that one command changes
COPIED = re.compile(rb"\[COPYUID (\d{1,10}) ([\d:,]{1,20000}) ([\d:,]{1,20000})\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """Where a message lies now (RFC 4315 §3)."""

    uidvalidity: int
    uid: int


class Change(Command):
    """STORE, COPY, MOVE or EXPUNGE; ``copied`` is what the server told of where messages are now, by UID."""

    lines = 10**5

    def __init__(self, *words: str | bytes) -> None:
        super().__init__(*words)
        self.copied: dict[int, Copied] = {}

    def take(self, text: bytes, literals: list[bytes]) -> bool:
        """MOVE tells it before the messages are gone, in a response of its own (RFC 6851 §4.3)."""
        return text[:3].upper() == b"OK " and self._read(text)

    def read_end(self) -> None:
        """COPY tells it in its tagged response."""
        if self.status is not None:
            self._read(self.status.text.encode())

    def _read(self, text: bytes) -> bool:
        told = COPIED.search(text)
        if told is None:
            return False
        source, target = _numbers(told[2]), _numbers(told[3])
        if len(source) == len(target):
            for uid, new in zip(source, target, strict=True):
                self.copied[uid] = Copied(uidvalidity=int(told[1]), uid=new)
        return True


class ImapWriter(ImapParts):
    """Changes messages of the folder, which has to be open for writing. A server that says NO raises ChangeRefused."""

    def set_flag(self, uids: Collection[int], flag: str, *, on: bool) -> None:
        """Sets or takes off a flag; ``marks`` tells what became of it, for a server may leave it without saying so."""
        for text in self._sets(uids):
            self._change("UID STORE", text, f"{'+' if on else '-'}FLAGS.SILENT", f"({flag})")

    def set_label(self, uids: Collection[int], label: str, *, on: bool) -> None:
        """Gmail's: sets or takes off a label (X-GM-EXT-1)."""
        quoted = label.encode("ascii") if label.startswith("\\") else quote_folder(label)
        for text in self._sets(uids):
            self._change("UID STORE", text, f"{'+' if on else '-'}X-GM-LABELS.SILENT", b"(" + quoted + b")")

    def move(self, uids: Collection[int], folder: str) -> dict[int, Copied]:
        """Moves messages; where these are now (of others nothing is believed), as far as the server tells.
        FolderMissing, and CannotMove where the server has no way to move these messages and no others."""
        quoted, can = quote_folder(folder), self.abilities
        if not can.move and not can.uidplus:
            raise CannotMove(host=self._endpoint.host)
        copied: dict[int, Copied] = {}
        for text in self._sets(uids):
            if can.move:
                copied |= self._change("UID MOVE", text, quoted, folder=folder).copied
            else:
                copied |= self._change("UID COPY", text, quoted, folder=folder).copied
                self._change("UID STORE", text, "+FLAGS.SILENT", r"(\Deleted)")
                self._change("UID EXPUNGE", text)
        asked = set(uids)
        return {uid: new for uid, new in copied.items() if uid in asked}

    def _sets(self, uids: Collection[int]) -> Iterator[str]:
        most = min(AT_ONCE, self.abilities.message_limit or AT_ONCE)
        return (uid_set(chunk) for chunk in chunks(sorted(uids), most=most))

    def _change(self, *words: str | bytes, folder: str = "") -> Change:
        with self._talking(folder=folder, writing=True):
            done = self._live().pipeline.ask(Change(*words))
        done.read_end()
        return done


def _numbers(text: bytes) -> Sequence[int]:
    """The UIDs of a set, in the order in which it has them; [] for what is none, or is more than was asked for."""
    try:
        ranges = list(each_range(text))
    except ValueError:
        return []
    if sum(last - first + 1 for first, last in ranges) > AT_ONCE:
        return []
    return [uid for first, last in ranges for uid in range(first, last + 1)]
