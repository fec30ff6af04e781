"""Which messages matter, and which belong together: union-find over Message-IDs (RFC 5322 §3.6.4) and the provider's
own names for conversations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


PROVIDER = "provider thread "


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What the rules need of a message: its UID, every key that ties it to others, who takes part."""

    uid: int
    keys: tuple[str, ...]
    addresses: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ties:
    """What ties letters together besides their keys: to each other, and to stored threads. By their UIDs."""

    letters: dict[int, set[int]] = field(default_factory=dict)
    threads: dict[int, set[int]] = field(default_factory=dict)


NONE = Ties()


@dataclass(slots=True, kw_only=True)
class Group:
    """Letters of one conversation, with all their keys and the stored threads that these keys lead to."""

    uids: list[int] = field(default_factory=list)
    keys: dict[str, None] = field(default_factory=dict)
    threads: set[int] = field(default_factory=set)


def provider_key(thread: str) -> tuple[str, ...]:
    """The key that a provider's name for a conversation is, if it has one. No mail can claim it: Message-IDs have no
    white space (mail.headers)."""
    return (f"{PROVIDER}{thread}",) if thread else ()


def provider_thread(key: str) -> str:
    """The provider's name that ``key`` is made of, "" for a key that isn't."""
    return key.removeprefix(PROVIDER) if key.startswith(PROVIDER) else ""


def matched(letters: Sequence[Letter], *, known: Collection[str], stored: Mapping[str, int]) -> set[int]:
    """The UIDs to store: a participant is in ``known``, or the conversation has such a message or a stored one."""
    found: set[int] = set()
    meant = {letter.uid for letter in letters if not letter.addresses.isdisjoint(known)}
    for group in group_letters(letters, stored=stored):
        if group.threads or not meant.isdisjoint(group.uids):
            found.update(group.uids)
    return found


def group_letters(letters: Sequence[Letter], *, stored: Mapping[str, int], ties: Ties = NONE) -> list[Group]:
    """Puts letters that share a key, directly or through others, into one group; and those with ``ties``.

    ``stored`` maps keys of stored conversations to their thread; keys of one thread count as shared.
    """
    parents: dict[object, object] = {}

    def root(node: object) -> object:
        while (parent := parents.setdefault(node, node)) != node:
            parents[node] = node = parents[parent]
        return node

    for letter in letters:
        for key in letter.keys:
            parents[root(key)] = root(letter.uid)
            if key in stored:
                parents[root(("thread", stored[key]))] = root(letter.uid)
        for other in ties.letters.get(letter.uid, ()):
            parents[root(other)] = root(letter.uid)
        for thread in ties.threads.get(letter.uid, ()):
            parents[root(("thread", thread))] = root(letter.uid)
    groups: dict[object, Group] = {}
    for letter in letters:
        group = groups.setdefault(root(letter.uid), Group())
        group.uids.append(letter.uid)
        group.keys.update(dict.fromkeys(letter.keys))
        group.threads.update(stored[key] for key in letter.keys if key in stored)
        group.threads.update(ties.threads.get(letter.uid, ()))
    return list(groups.values())
