"""Which stored mail nobody known justifies any more: conversations that no contact takes part in."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailaccounts.models import MailAccount, Message
from mailaccounts.selectors import taking_part
from mailaccounts.services.people import acquaintances
from mailaccounts.services.storing import conversations

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from django.db.models import Q

BATCH = 500  # conversations that one question to the host is about
COUNTING_SECONDS = 3.0  # that somebody waits for a page


@dataclass(frozen=True, slots=True, kw_only=True)
class Unjustified:
    """How much mail that is; not ``complete`` when there was no time to count it all."""

    messages: int = 0
    conversations: int = 0
    complete: bool = True

    @property
    def is_nothing(self) -> bool:
        return self.complete and not self.messages


def count(patterns: Collection[str], *, accounts: Q | None = None, seconds: float = COUNTING_SECONDS) -> Unjustified:
    """How much mail with ``patterns`` (addresses, or ``@domain``) nobody known justifies as things stand."""
    until = time.monotonic() + seconds
    messages = threads = 0
    for account, batch in batches(candidates(patterns, accounts=accounts)):
        if time.monotonic() > until:
            return Unjustified(messages=messages, conversations=threads, complete=False)
        found = unjustified(account, batch)
        messages += Message.objects.filter(thread__in=found).count()
        threads += len(found)
    return Unjustified(messages=messages, conversations=threads)


def candidates(patterns: Collection[str], *, accounts: Q | None = None) -> dict[int, list[int]]:
    """The conversations with ``patterns`` in these accounts, by account. One query."""
    rows = taking_part(patterns).values_list("message__account", "message__thread")
    if accounts is not None:
        rows = rows.filter(message__account__in=MailAccount.objects.filter(accounts))
    found: dict[int, list[int]] = defaultdict(list)
    for account_id, thread_id in rows.distinct().order_by("message__account", "message__thread"):
        found[account_id].append(thread_id)
    return found


def batches(threads: Mapping[int, Sequence[int]]) -> Iterator[tuple[MailAccount, Sequence[int]]]:
    """What one question to the host can be about: some conversations of one account."""
    for account in MailAccount.objects.filter(pk__in=threads.keys()).order_by("pk"):
        mine = threads[account.pk]
        yield from ((account, mine[start : start + BATCH]) for start in range(0, len(mine), BATCH))


def unjustified(account: MailAccount, threads: Collection[int]) -> set[int]:
    """Those of the account's ``threads`` in which nobody takes part whom the host knows."""
    people = conversations.people(threads)
    known = acquaintances.ask(account, set().union(*people.values())).known
    return {thread for thread in threads if people.get(thread, set()).isdisjoint(known)}
