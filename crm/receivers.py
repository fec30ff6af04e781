"""What the CRM does when mail arrives, or when other people are known of those who take part in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.dispatch import receiver

from crm.directory import Known, known
from crm.models import TimelineEntry
from mailaccounts.models import Participant, Role
from mailaccounts.signals import message_stored, people_changed

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY = ("contact_id", "company_id", "message_id", "unseen")


@receiver(message_stored, dispatch_uid="crm.timeline")
def write_timeline(*, message_ids: Sequence[int], **_: Any) -> None:
    """Puts each message on the timeline of everybody who is known in it. Safe to repeat; three queries."""
    TimelineEntry.objects.bulk_create(_entries(message_ids), ignore_conflicts=True)


@receiver(people_changed, dispatch_uid="crm.timeline.again")
def rewrite_timeline(*, message_ids: Sequence[int], **_: Any) -> None:
    """Puts each message on the timeline of everybody who is known in it now, and takes it off all others: mail with
    anybody of a company goes to the contact who was added since. Safe to repeat."""
    entries = {tuple(getattr(each, name) for name in KEY): each for each in _entries(message_ids)}
    written = TimelineEntry.objects.filter(message__in=message_ids)
    there = {tuple(key): pk for pk, *key in written.values_list("pk", *KEY)}
    TimelineEntry.objects.filter(pk__in=[pk for key, pk in there.items() if key not in entries]).delete()
    fresh = [each for key, each in entries.items() if key not in there]
    TimelineEntry.objects.bulk_create(fresh, ignore_conflicts=True)


def _entries(message_ids: Sequence[int]) -> list[TimelineEntry]:
    rows = Participant.objects.filter(message__in=message_ids)
    columns = ("message_id", "address", "role", "message__fingerprint", "message__received_at")
    taking_part = set(rows.values_list(*columns))
    people = known({address for _, address, *_ in taking_part})
    entries: dict[tuple[int, Known], TimelineEntry] = {}
    for message_id, address, role, fingerprint, received_at in taking_part:
        if whose := people.get(address):
            entry = entries.setdefault(
                (message_id, whose),
                TimelineEntry(
                    contact_id=whose.contact_id,
                    company_id=whose.company_id,
                    message_id=message_id,
                    fingerprint=fingerprint,
                    occurred_at=received_at,
                    unseen=True,
                ),
            )
            entry.unseen &= role == Role.BCC
    return list(entries.values())
