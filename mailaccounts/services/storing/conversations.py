"""Gives messages their thread: a new one, the one they belong to, or the one that theirs are merged into."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Case, Value, When

from mailaccounts.models import Message, Participant, Role, Thread, ThreadKey
from mailaccounts.rules.threads import Letter, Ties, group_letters
from mailaccounts.services.storing.bulk import bulk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def stored_keys(account_id: int, keys: Iterable[str]) -> dict[str, int]:
    """Those of the Message-IDs ``keys`` that lead to a thread of the account, with its id. One query."""
    rows = ThreadKey.objects.filter(account_id=account_id, message_id__among=set(keys))
    return dict(rows.values_list("message_id", "thread_id"))


def people(thread_ids: Iterable[int]) -> dict[int, set[str]]:
    """Who takes part in each of the threads. One query."""
    found: dict[int, set[str]] = {}
    rows = Participant.objects.filter(message__thread__id__among=set(thread_ids)).values_list(
        "message__thread", "address"
    )
    for thread_id, address in rows.distinct():
        found.setdefault(thread_id, set()).add(address)
    return found


def correspondents(message_ids: Iterable[int]) -> dict[int, set[tuple[str, str]]]:
    """Whom each of the messages is from and to, as (role, address). One query."""
    found: dict[int, set[tuple[str, str]]] = {}
    rows = Participant.objects.filter(message__in=set(message_ids), role__in=(Role.FROM, Role.TO, Role.CC))
    for message_id, role, address in rows.values_list("message_id", "role", "address"):
        found.setdefault(message_id, set()).add((role, address))
    return found


def assign(account_id: int, letters: Sequence[Letter], *, subjects: Mapping[int, str], ties: Ties) -> dict[int, int]:
    """The thread of each letter by UID, created or merged as needed. Call it while holding the account's row: the
    number of queries doesn't depend on the number of letters."""
    stored = stored_keys(account_id, (key for letter in letters for key in letter.keys))
    groups = group_letters(letters, stored=stored, ties=ties)
    fresh = [group for group in groups if not group.threads]
    created = bulk().reserve(Thread, len(fresh))
    bulk().insert(
        Thread,
        ("id", "account_id", "subject"),
        [(key, account_id, subjects[group.uids[0]]) for key, group in zip(created, fresh, strict=True)],
    )
    for key, group in zip(created, fresh, strict=True):
        group.threads.add(key)
    _merge({other: min(group.threads) for group in groups for other in group.threads if other != min(group.threads)})
    bulk().insert(
        ThreadKey,
        ("account_id", "thread_id", "message_id"),
        [(account_id, min(group.threads), key) for group in groups for key in group.keys if key not in stored],
    )
    return {uid: min(group.threads) for group in groups for uid in group.uids}


def _merge(replaced: Mapping[int, int]) -> None:
    """A message answered two conversations: the older thread takes in the others."""
    if not replaced:
        return
    keeper = Case(*(When(thread_id=old, then=Value(new)) for old, new in replaced.items()))
    for model in (Message, ThreadKey):
        model.objects.filter(thread_id__in=replaced).update(thread_id=keeper)
    Thread.objects.filter(pk__in=replaced).delete()
