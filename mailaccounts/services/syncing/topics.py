"""Ties messages to the conversations they go on with by subject alone, where nothing better does."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from mailaccounts.models import Message, Participant, Role
from mailaccounts.rules.threads import Ties
from mailaccounts.rules.topics import ANSWER, WITHIN, Topic, asks_for, topic_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mailaccounts.mail.headers import Headers
    from mailaccounts.services.syncing.found import Found

MOST = 1000  # stored messages that are looked at for one batch: more on the same topics only an attack has
PEOPLE = frozenset({Role.FROM, Role.TO})


def topic(headers: Headers) -> str:
    """The message's topic, as its row keeps it."""
    return topic_of(headers.subject, refers=bool(headers.ancestors))


def ties(account_id: int, messages: Sequence[Found]) -> Ties:
    """What ties these messages to each other and to stored threads of the account. Two queries at most."""
    about = {found.uid: each for found in messages if (each := _read(found)).topic}
    found = Ties()
    fresh = defaultdict(list)
    for uid, each in about.items():
        fresh[each.topic.removeprefix(ANSWER)].append((uid, each))
    for thread_id, stored in _stored(account_id, about):
        for uid, each in fresh[stored.topic.removeprefix(ANSWER)]:
            if each.answers(stored) or stored.answers(each):
                found.threads.setdefault(uid, set()).add(thread_id)
    for alike in fresh.values():
        for uid, each in alike:
            found.letters[uid] = {other for other, earlier in alike if other != uid and each.answers(earlier)}
    return found


def _read(found: Found) -> Topic:
    return Topic(
        topic=topic(found.headers),
        people=frozenset(address for role, _, address in found.headers.mailboxes if role in PEOPLE),
        everybody=found.headers.addresses,
        at=found.received_at,
    )


def _stored(account_id: int, about: Mapping[int, Topic]) -> Iterator[tuple[int, Topic]]:
    """Stored messages that these may answer or be answered by, with their threads."""
    wanted = {topic for each in about.values() for topic in asks_for(each.topic)}
    if not wanted:
        return
    times = [each.at for each in about.values()]
    rows = list(
        Message.objects.filter(account_id=account_id, topic__among=wanted)
        .filter(received_at__range=(min(times) - WITHIN, max(times) + WITHIN))
        .order_by("-received_at")
        .values_list("pk", "thread_id", "topic", "received_at")[:MOST]
    )
    if not rows:
        return
    parties: dict[int, list[tuple[str, str]]] = defaultdict(list)
    taking_part = Participant.objects.filter(message__id__among=[pk for pk, *_ in rows])
    for pk, role, address in taking_part.order_by().values_list("message_id", "role", "address"):
        parties[pk].append((role, address))
    for pk, thread_id, topic, at in rows:
        yield (
            thread_id,
            Topic(
                topic=topic,
                people=frozenset(address for role, address in parties[pk] if role in PEOPLE),
                everybody=frozenset(address for _, address in parties[pk]),
                at=at,
            ),
        )
