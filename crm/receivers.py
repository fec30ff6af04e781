"""What the CRM does when mail arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.dispatch import receiver

from crm.directory import known
from crm.models import TimelineEntry
from mailaccounts.models import Participant
from mailaccounts.signals import message_stored

if TYPE_CHECKING:
    from collections.abc import Sequence


@receiver(message_stored, dispatch_uid="crm.timeline")
def write_timeline(*, message_ids: Sequence[int], **_: Any) -> None:
    """Puts each message on the timeline of everybody who is known in it. Safe to repeat; three queries."""
    rows = Participant.objects.filter(message__in=message_ids)
    taking_part = set(rows.values_list("message_id", "address", "message__fingerprint", "message__received_at"))
    people = known({address for _, address, _, _ in taking_part})
    TimelineEntry.objects.bulk_create(
        [
            TimelineEntry(
                contact_id=people[address].contact_id,
                company_id=people[address].company_id,
                message_id=message_id,
                fingerprint=fingerprint,
                occurred_at=received_at,
            )
            for message_id, address, fingerprint, received_at in taking_part
            if address in people
        ],
        ignore_conflicts=True,
    )
