"""SELECT and EXAMINE, with what QRESYNC tells on that occasion (RFC 9051 §6.3.2, RFC 7162 §3.2.5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailaccounts.mail.imap_fetch import flags_of, octets_of
from mailaccounts.mail.imap_pipeline import Command
from mailaccounts.mail.imap_responses import UnreadableAnswer
from mailaccounts.mail.types import FolderState
from mailaccounts.mail.uids import MAX_UID, read_ranges, wide_set

if TYPE_CHECKING:
    from mailaccounts.mail.imap_responses import Attributes
    from mailaccounts.mail.types import Known
    from mailaccounts.mail.uids import UidRanges

MOST_CHANGES = 100_000  # messages whose flags changed, and ranges of expunged ones; more is not worth keeping
CHANGE_OCTETS = 250  # what each of them takes
LINE_OCTETS = 8000

EXISTS = re.compile(rb"(\d{1,19}) EXISTS\b", re.IGNORECASE)
CODE = re.compile(rb"OK \[(UIDVALIDITY|UIDNEXT|HIGHESTMODSEQ) (\d{1,19})\]", re.IGNORECASE)
MAILBOX_ID = re.compile(rb"OK \[MAILBOXID \(([A-Za-z0-9_-]{1,255})\)\]", re.IGNORECASE)
CLOSED = re.compile(rb"OK \[CLOSED\]", re.IGNORECASE)
VANISHED = re.compile(rb"VANISHED (?:\(EARLIER\) )?([^\r\n]*)\r?\n", re.IGNORECASE)


class Select(Command):
    """SELECT, or EXAMINE when ``readonly``, of a folder's name as it goes over the wire.

    With ``known``, which needs QRESYNC, the server tells the changes since; with ``condstore`` only how far they went.
    """

    uids = range(1, MAX_UID + 1)
    lines = 10**6  # one for each message whose flags changed

    def __init__(
        self, name: bytes, *, readonly: bool, line_bytes: int, known: Known | None = None, condstore: bool = False
    ) -> None:
        super().__init__("EXAMINE" if readonly else "SELECT", name)
        self.line_bytes = line_bytes
        self._known = known
        if known is not None and (known.uids is None or known.uids):
            self.words.append(_resync(known, octets=LINE_OCTETS - len(name)))
        elif condstore:
            self.words.append(b"(CONDSTORE)")
        self._forget()

    def _forget(self) -> None:
        self._told: dict[bytes, int] = {}
        self._mailbox_id = ""
        self._changed: dict[int, frozenset[str]] | None = {}
        self._vanished: list[UidRanges] | None = []
        self._ranges = 0
        self.kept = 0

    def keep(self, uid: int, attributes: Attributes) -> None:
        flags = attributes.get(b"FLAGS")
        if self._known is None or self._changed is None or flags is None:
            return
        self._changed[uid] = flags_of(flags)
        self.kept += octets_of(flags)
        if self.kept > MOST_CHANGES * CHANGE_OCTETS:
            self._changed = None

    def take(self, text: bytes, literals: list[bytes]) -> bool:
        if told := EXISTS.match(text):
            self._told[b"EXISTS"] = _fitting(told[1])
        elif told := CODE.match(text):
            self._told[told[1].upper()] = _fitting(told[2])
        elif told := MAILBOX_ID.match(text):
            self._mailbox_id = told[1].decode("ascii")
        elif told := VANISHED.match(text):
            self._take_vanished(told[1])
        elif CLOSED.match(text):  # what came before was about the folder that was open (RFC 9051 §7.1)
            self._forget()
        else:
            return False
        return True

    def _take_vanished(self, text: bytes) -> None:
        if self._known is None or self._vanished is None:
            return
        try:
            ranges = read_ranges(text, most=MOST_CHANGES - self._ranges)
        except ValueError:
            raise UnreadableAnswer from None
        if ranges is None:
            self._vanished = None
            return
        self._vanished.append(ranges)
        self._ranges += len(ranges)
        self.kept += CHANGE_OCTETS * len(ranges)

    def state(self) -> FolderState:
        """What was told; UnreadableAnswer without a UIDVALIDITY: UIDs would mean nothing (RFC 9051 §2.3.1.1)."""
        told = self._told.get
        uidvalidity, highestmodseq = told(b"UIDVALIDITY", 0), told(b"HIGHESTMODSEQ") or None
        if not uidvalidity:
            raise UnreadableAnswer
        known, changed, vanished = self._known, self._changed, self._vanished
        resynced = known is not None and uidvalidity == known.uidvalidity and (highestmodseq or 0) >= known.modseq
        resynced = resynced and changed is not None and vanished is not None
        return FolderState(
            uidvalidity=uidvalidity,
            uidnext=told(b"UIDNEXT", 0),
            exists=told(b"EXISTS", 0),
            highestmodseq=highestmodseq,
            mailbox_id=self._mailbox_id,
            resynced=resynced,
            vanished=tuple(each for ranges in vanished or () for each in ranges) if resynced else (),
            changed=changed or {} if resynced else {},
        )


def _resync(known: Known, *, octets: int) -> bytes:
    words = [f"{known.uidvalidity} {known.modseq}"]
    if known.uids:
        words.append(wide_set(known.uids, octets=octets))
    return f"(QRESYNC ({' '.join(words)}))".encode("ascii")


def _fitting(digits: bytes) -> int:
    """The number, or 0 when no column holds it."""
    found = int(digits)
    return found if found < 2**63 else 0
