"""ImapSession: one login to one IMAP server, with everything it may cost bounded (RFC 3501, RFC 9051)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mailaccounts.errors import ProtocolFault
from mailaccounts.mail.abilities import Abilities
from mailaccounts.mail.imap_connection import quote, quote_folder
from mailaccounts.mail.imap_folders import read_folders
from mailaccounts.mail.imap_list import AskStatus, List, status_items
from mailaccounts.mail.imap_search import Search, ascending, criteria
from mailaccounts.mail.imap_select import Select
from mailaccounts.mail.imap_writer import ImapWriter
from mailaccounts.mail.responses import Condition, Refused
from mailaccounts.mail.uids import MAX_UID, chunks, uid_set, wide_set

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date

    from mailaccounts.mail.types import FolderInfo, FolderState, FolderStatus, Known

SEARCH_BATCH = 20_000  # UIDs that one search is about
STATUSES = 50  # STATUS commands under way


class ImapSession(ImapWriter):
    """A mailbox: its folders, which messages they hold and, by ImapReader, what is in those.

    Methods raise errors of ``mailaccounts.errors`` and nothing else.
    """

    def folders(self, *, status: bool = False) -> list[FolderInfo]:
        """Every folder, INBOX first (RFC 9051 §6.3.9); with ``status`` each has its own, if the server has LIST-STATUS
        and has one of it: what lacks it may be asked for by ``statuses``."""
        can = Abilities.read(self.capabilities)
        options = ["SPECIAL-USE"] if can.special_use else []
        if status and can.list_status:
            options.append(f"STATUS {status_items(can)}")
        with self._talking():
            told = self._live().pipeline.ask(List(*options))
            told.statuses.pop(self._selected or "", None)  # stale, when the folder is open
            return read_folders(told.folders, told.statuses)

    def statuses(self, names: Collection[str]) -> dict[str, FolderStatus]:
        """The status of these folders, many in one flight; without the open one, and those the server has none of."""
        items = status_items(Abilities.read(self.capabilities))
        asked = (AskStatus(name, quote_folder(name), items) for name in names if name != self._selected)
        return {each.folder: each.told for each in self._ask_all(asked, window=STATUSES) if each.told is not None}

    def select(self, name: str, *, readonly: bool = True, known: Known | None = None) -> FolderState:
        """Opens a folder: EXAMINE when ``readonly``, SELECT otherwise. FolderMissing when it isn't there.

        With ``known`` a server with QRESYNC tells what changed since.
        """
        quoted = quote_folder(name)
        with self._talking(folder=name):
            pipeline = self._live().pipeline
            pipeline.settle(but=self._enable)
            self._selected, self._selections = None, self._selections + 1
            self._live().state = "AUTH"
            asked = known if known is not None and self.abilities.qresync else None
            try:
                state = pipeline.ask(self._select(quoted, readonly=readonly, known=asked)).state()
            except Refused as refusal:
                if asked is None or refusal.status.condition is not Condition.BAD:
                    raise
                self._enable = None  # it offers QRESYNC and knows nothing of it
                state = pipeline.ask(self._select(quoted, readonly=readonly)).state()
            self._selected = name
            self._live().state = "SELECTED"
            return state

    def append(self, name: str, raw: bytes) -> None:
        """Files a message in a folder, as one that was read (RFC 9051 §6.3.12). FolderMissing when it isn't there,
        MailboxFull; after an error of the network nobody knows whether it is filed: ``holds`` tells."""
        quoted = quote_folder(name).decode("ascii")
        with self._talking(folder=name, writing=True):
            self._live().append(quoted, r"(\Seen)", None, raw)

    def _select(self, quoted: bytes, *, readonly: bool, known: Known | None = None) -> Select:
        condstore = known is None and Abilities.read(self.capabilities).condstore
        line_bytes = self._limits.list_bytes
        return Select(quoted, readonly=readonly, line_bytes=line_bytes, known=known, condstore=condstore)

    # --- which messages ---

    def search(
        self,
        *,
        above: int = 0,
        below: int | None = None,
        since: date | None = None,
        before: date | None = None,
        any_of: Sequence[bytes] = (),
    ) -> list[int]:
        """The UIDs in the open folder above one and below another, ascending; ``since`` (that day and later) and
        ``before`` compare the day of arrival. Of those for which ``any_of`` some criteria holds
        (imap_search makes them), if there are any; a server that takes none in Unicode is asked for the others alone.
        """
        find = partial(self._find, above=above, below=below, since=since, before=before)
        plain = [each for each in any_of if each.isascii()]
        found = find(any_of=plain) if plain or not any_of else []
        if len(plain) < len(any_of) and self.abilities.short_literals:
            try:
                found += find(any_of=[each for each in any_of if not each.isascii()])
            except ProtocolFault:
                if self.closed:  # else it said no
                    raise
        return ascending(found)

    def _find(
        self, *, above: int, below: int | None, since: date | None, before: date | None, any_of: Sequence[bytes]
    ) -> list[int]:
        found: list[int] = []
        while above < MAX_UID and (below is None or above + 1 < below):
            words = criteria(above=above, below=below, since=since, before=before, any_of=any_of)
            with self._talking():
                told = self._live().pipeline.ask(self._search(*words))
            # n:* names the last message even when its UID is below n, hence the filter (RFC 9051 §6.4.8).
            found += [uid for uid in told.numbers if above < uid and (below is None or uid < below)]
            if told.cut_at is None or (below is not None and told.cut_at >= below):
                break
            below = told.cut_at  # the server looks at so many at a time, beginning with the highest
        return found

    def existing(self, uids: Collection[int]) -> set[int]:
        """Which of these messages are still in the open folder."""
        limit = self.abilities.message_limit
        if self.abilities.esearch and limit is None:  # answered in ranges, so it doesn't matter to ask for more
            sets = [wide_set(uids)] if uids else []
        else:
            sets = [uid_set(chunk) for chunk in chunks(sorted(uids), most=min(SEARCH_BATCH, limit or SEARCH_BATCH))]
        asked = set(uids)
        found: set[int] = set()
        for told in self._ask_all(self._search("UID", text) for text in sets):
            self._insist(told)
            found |= asked.intersection(told.numbers)
        return found

    def holds(self, message_id: str) -> bool:
        """Whether a message of the open folder has this Message-ID, given without angle brackets (RFC 9051 §6.4.4)."""
        quoted = quote(f"<{message_id}>".encode(), what="The Message-ID")
        with self._talking():
            return bool(self._live().pipeline.ask(self._search("HEADER", "MESSAGE-ID", quoted)).numbers)

    def _search(self, *words: str | bytes) -> Search:
        ranges = "ESEARCH" in self.capabilities
        return Search(*words, ranges=ranges, line_bytes=self._limits.list_bytes)
