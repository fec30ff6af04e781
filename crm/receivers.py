"""What the CRM does when mail arrives, or when other people are known of those who take part in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.dispatch import receiver

from crm.directory import known
from crm.models import TimelineEntry
from mailaccounts.models import Participant
from mailaccounts.signals import message_stored, people_changed

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = ("pk", "contact_id", "company_id", "message_id")


@receiver(message_stored, dispatch_uid="crm.timeline")
def write_timeline(*, message_ids: Sequence[int], **_: Any) -> None:
    """Puts each message on the timeline of everybody who is known in it. Safe to repeat; three queries."""
    TimelineEntry.objects.bulk_create(_entries(message_ids), ignore_conflicts=True)


@receiver(people_changed, dispatch_uid="crm.timeline.again")
def rewrite_timeline(*, message_ids: Sequence[int], **_: Any) -> None:
    """Puts each message on the timeline of everybody who is known in it now, and takes it off all others: mail with
    anybody of a company goes to the contact who was added since. Safe to repeat."""
    entries = {(each.contact_id, each.company_id, each.message_id): each for each in _entries(message_ids)}
    written = TimelineEntry.objects.filter(message__in=message_ids)
    there = {(contact, company, message): pk for pk, contact, company, message in written.values_list(*COLUMNS)}
    TimelineEntry.objects.filter(pk__in=[pk for key, pk in there.items() if key not in entries]).delete()
    fresh = [each for key, each in entries.items() if key not in there]
    TimelineEntry.objects.bulk_create(fresh, ignore_conflicts=True)


def _entries(message_ids: Sequence[int]) -> list[TimelineEntry]:
    rows = Participant.objects.filter(message__in=message_ids)
    taking_part = set(rows.values_list("message_id", "address", "message__fingerprint", "message__received_at"))
    people = known({address for _, address, _, _ in taking_part})
    return [
        TimelineEntry(
            contact_id=people[address].contact_id,
            company_id=people[address].company_id,
            message_id=message_id,
            fingerprint=fingerprint,
            occurred_at=received_at,
        )
        for message_id, address, fingerprint, received_at in taking_part
        if address in people
    ]
