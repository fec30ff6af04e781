"""The conversations of a user's mailboxes: the newest of those wanted, or the best that have some words.

However much is stored, a page of them is read in the same number of queries, along the indexes that
services.storing.summaries keeps; hence pages begin below a conversation and not at a number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from mailaccounts import selectors
from mailaccounts.models import Folder, MailAccount, Message, Thread, ThreadFolder
from mailaccounts.services.storing import search
from mailaccounts.services.storing.search import Excerpt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from django.db.models import QuerySet

    from mailaccounts.services.storing.search import Words

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which conversations: of which mailboxes, all of ``folders`` or, when that is None, wherever they lie."""

    accounts: Sequence[int]
    folders: Sequence[int] | None = None
    unread: bool = False
    flagged: bool = False
    attached: bool = False

    def condition(self, thread: str = "") -> Q:
        """On threads, or on what leads to them by ``thread``, as ``thread__``."""
        wanted = Q()
        if self.unread:
            wanted &= Q(**{f"{thread}unread__gt": 0})
        if self.flagged:
            wanted &= Q(**{f"{thread}flagged": True})
        if self.attached:
            wanted &= Q(**{f"{thread}has_attachments": True})
        return wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page of the newest begins: below the one that came ``at`` this time and has this ``key``."""

    at: datetime
    key: int

    @classmethod
    def read(cls, text: str) -> Place | None:
        """What ``str`` of a place has written; None for anything else."""
        micros, _, key = text.partition("-")
        if not (micros.isascii() and micros.isdigit() and key.isascii() and key.isdigit()):
            return None
        if len(micros) > 17 or len(key) > 18:
            return None
        seconds, micro = divmod(int(micros), 10**6)
        return cls(at=datetime.fromtimestamp(seconds, tz=UTC).replace(microsecond=micro), key=int(key))

    def __str__(self) -> str:
        since = self.at - EPOCH
        return f"{(since.days * 86_400 + since.seconds) * 10**6 + since.microseconds}-{self.key}"

    def beyond(self, *, at: str, key: str = "pk") -> Q:
        """The condition on rows, by these columns, that they are below it. Its first half leads along the index, the
        second leaves out what was shown."""
        return Q(**{f"{at}__lte": self.at}) & (Q(**{f"{at}__lt": self.at}) | Q(**{f"{key}__lt": self.key}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some conversations, with the key of the ``newest`` message of each.

    ``after`` is where the next page begins, or ``next_page`` its number in a search, None on the last. Of a search,
    ``excerpts`` are the places that fit best, by conversation, and ``limited`` says that older messages weren't looked
    at.
    """

    threads: Sequence[Thread]
    newest: Mapping[int, int] = field(default_factory=dict)
    after: Place | None = None
    next_page: int | None = None
    excerpts: Mapping[int, Excerpt] = field(default_factory=dict)
    limited: bool = False


def accounts_of(user: Any) -> dict[int, MailAccount]:
    """The user's mailboxes whose mail there is to see, by key. One query."""
    return {account.pk: account for account in selectors.mailboxes_of(user).order_by("address")}


def folders_of(accounts: Collection[int]) -> list[Folder]:
    """The folders of these mailboxes. One query."""
    return list(Folder.objects.filter(account__in=accounts, missing_since=None).order_by("name", "pk"))


def newest(wanted: Wanted, *, below: Place | None, count: int) -> Page:
    """The newest conversations ``below`` a place. Two queries."""
    parts = [
        Thread.objects.filter(pk__in=part[: count + 1]).values_list("last_message_at", "pk")
        for part in _ordered(wanted, below)
    ]
    places = [Place(at=at, key=pk) for at, pk in sorted(set(_all_of(parts)), reverse=True)]
    threads, newest_of = _load([place.key for place in places[:count]])
    # As it was then: mail that comes to the last conversation now leads nobody back to the top.
    return Page(threads=threads, newest=newest_of, after=places[count - 1] if len(places) > count else None)


def found(wanted: Wanted, words: Words, *, page: int, count: int) -> Page:
    """Page number ``page``, from 0 on, of the conversations with ``words``, the best first; none without words. Four
    queries."""
    if not words:
        return Page(threads=())
    index = search.index()
    messages = Message.objects.filter(wanted.condition("thread__"), gone_since=None)
    if wanted.folders is not None:
        # A value and not Exists: folders are asked for the few messages found, and not for all that lies in them.
        lying = ThreadFolder.objects.filter(thread=OuterRef("thread"), folder__in=wanted.folders)
        messages = messages.alias(lies=Subquery(lying.values("pk")[:1])).filter(lies__isnull=False)
    parts = [
        Message.objects.filter(pk__in=part).values_list("received_at", "pk", "thread_id")
        for account_id in wanted.accounts
        for part in _with(words, messages, account_id)
    ]
    rows = sorted(set(_all_of(parts)), reverse=True)[: search.MOST]
    ranks = index.ranks(words, [pk for _, pk, _ in rows])
    best: dict[int, int] = {}
    for _, pk, thread in sorted(rows, key=lambda row: ranks.get(row[1], 0), reverse=True):  # of equals, the newest
        best.setdefault(thread, pk)
    keys = list(best)[page * count : (page + 1) * count]
    excerpts = index.excerpts(words, [best[key] for key in keys])
    threads, newest_of = _load(keys)
    return Page(
        threads=threads,
        newest=newest_of,
        next_page=page + 1 if len(best) > (page + 1) * count else None,
        excerpts={key: Excerpt.read(*excerpts[best[key]]) for key in keys if best[key] in excerpts},
        limited=len(rows) == search.MOST,
    )


def _with(words: Words, messages: QuerySet[Message], account_id: int) -> Iterator[QuerySet[Any, Any]]:
    """The keys of those of ``messages`` that are the account's and have the words. First of the newest there are: what
    very many have is found there often enough, and then nothing else is looked at; the index would lead to them all.
    """
    times = Message.objects.filter(account=account_id).order_by("-received_at").values("received_at")
    since = Coalesce(Subquery(times[search.NEWEST - 1 : search.NEWEST]), EPOCH)
    there = search.Holds(words, account_id, by_index=False)
    recent = messages.filter(there, account=account_id, received_at__gte=since).order_by("-received_at").values("pk")
    yield recent[: search.MOST]
    enough = Exists(recent[search.MOST - 1 : search.MOST])
    everywhere = messages.filter(~enough, search.Holds(words, account_id))
    yield everywhere.order_by("-received_at").values("pk")[: search.MOST]


def _ordered(wanted: Wanted, below: Place | None) -> Iterator[QuerySet[Any, Any]]:
    """The keys of what is wanted, newest first, from each mailbox or folder: along an index of its own each."""
    if wanted.folders is None:
        for account_id in wanted.accounts:
            rows = Thread.objects.filter(wanted.condition(), _beyond(below, key="pk"), account=account_id)
            rows = rows.filter(last_message_at__isnull=False)
            yield rows.order_by("-last_message_at", "-pk").values("pk")
    else:
        for folder_id in wanted.folders:
            places = ThreadFolder.objects.filter(
                wanted.condition("thread__"), _beyond(below, key="thread"), folder=folder_id
            )
            places = places.filter(last_message_at__isnull=False)
            yield places.order_by("-last_message_at", "-thread_id").values("thread_id")


def _beyond(below: Place | None, *, key: str) -> Q:
    return below.beyond(at="last_message_at", key=key) if below else Q()


def _all_of(parts: Sequence[QuerySet[Any, Any]]) -> list[Any]:
    """The rows of all parts. One query."""
    if not parts:
        return []
    return list(parts[0].union(*parts[1:], all=True) if len(parts) > 1 else parts[0])


def _load(keys: Sequence[int]) -> tuple[list[Thread], dict[int, int]]:
    """The conversations, in this order, and the key of the newest message of each. One query."""
    newest_of = Message.objects.filter(thread=OuterRef("pk"), gone_since=None).order_by("-received_at", "-pk")
    threads = Thread.objects.filter(pk__in=keys).annotate(newest=Subquery(newest_of.values("pk")[:1]))
    found = {thread.pk: thread for thread in threads if thread.newest}
    return [found[key] for key in keys if key in found], {key: thread.newest for key, thread in found.items()}
