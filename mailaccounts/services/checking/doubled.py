"""Messages that are stored once too often: two rows for one message of the mailbox."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mailaccounts.models import Message
from mailaccounts.services.storing import conversations

if TYPE_CHECKING:
    from collections.abc import Collection

    from mailaccounts.models import MailAccount


def find(account: MailAccount, *, at_server: Collection[str]) -> dict[int, int]:
    """Which are, and what each is a second one of, by id. They have the same Message-ID, date, subject and people (a
    list's copy, with a From of its own, is another), nothing else is said in them, and one isn't ``at_server``, where
    fingerprints are."""
    rows = Message.objects.filter(account=account).exclude(message_id="").order_by("pk")
    columns = list(rows.values_list("pk", "message_id", "sent_at", "subject", "fingerprint").iterator())
    often = Counter(message_id for _, message_id, *_ in columns)
    twins: dict[tuple[object, ...], list[tuple[int, str]]] = {}
    for pk, message_id, sent_at, subject, fingerprint in columns:
        if often[message_id] > 1:
            twins.setdefault((message_id, sent_at, subject), []).append((pk, fingerprint))
    found: dict[int, int] = {}
    for pairs in twins.values():
        keep = next((pk for pk, fingerprint in pairs if fingerprint in at_server), None)
        others = [pk for pk, fingerprint in pairs if fingerprint not in at_server]
        if keep is not None and others:
            people = conversations.correspondents((keep, *others))
            alike = [pk for pk in others if people.get(pk) == people.get(keep)]
            found |= {pk: keep for pk in alike if _say_the_same(pk, keep)}
    return found


def _say_the_same(*ids: int) -> bool:
    """Whether the texts of these messages are the same, as far as they are stored: headers anybody can write again."""
    texts = Message.objects.filter(pk__in=ids, has_body=True).values_list("body_text", flat=True)
    return len({" ".join(text.split()) for text in texts}) <= 1
