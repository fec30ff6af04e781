"""Messages that were examined and left alone in this sync: should their conversation turn out to have a contact after
all, they are stored with it. Kept in memory only, as numbers that lead to nothing, and never written down.

History is read from the newest message back, so an answer among colleagues comes before the contact's letter that
it answers; and a conversation may have its contact in another folder.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST = 20_000  # messages remembered: about 10 MiB; the oldest make way


@dataclass(slots=True)
class Bystanders:
    """By hashes of their Message-IDs and references, as Python makes them anew in every process."""

    _messages: OrderedDict[tuple[int, int], tuple[int, ...]] = field(default_factory=OrderedDict)
    _by_key: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def add(self, folder_id: int, uid: int, keys: Iterable[str]) -> None:
        """Remembers the message at ``uid``, unless nothing could ever lead to it."""
        hashes = tuple({hash(key) for key in keys})
        if not hashes:
            return
        message = (folder_id, uid)
        self._forget(message)
        self._messages[message] = hashes
        for key in hashes:
            self._by_key.setdefault(key, []).append(message)
        while len(self._messages) > MOST:
            self._forget(next(iter(self._messages)))

    def take(self, keys: Iterable[str]) -> tuple[dict[int, list[int]], set[int]]:
        """The messages that ``keys`` lead to, directly or through one another: UIDs by folder, no longer remembered
        then; and the hashes of every key that was met."""
        met: set[int] = set()
        ahead = {hash(key) for key in keys}
        taken: dict[int, list[int]] = {}
        while ahead:
            key = ahead.pop()
            met.add(key)
            for message in list(self._by_key.get(key, ())):
                ahead.update(set(self._messages[message]) - met)
                self._forget(message)
                taken.setdefault(message[0], []).append(message[1])
        return taken, met

    def _forget(self, message: tuple[int, int]) -> None:
        for key in self._messages.pop(message, ()):
            messages = self._by_key[key]
            messages.remove(message)
            if not messages:
                del self._by_key[key]
