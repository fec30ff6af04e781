"""What the CRM does when mail arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.dispatch import receiver

from crm.directory import known_contacts
from crm.models import TimelineEntry
from mailaccounts.models import Participant
from mailaccounts.signals import message_stored

if TYPE_CHECKING:
    from collections.abc import Sequence


@receiver(message_stored, dispatch_uid="crm.timeline")
def write_timeline(*, message_ids: Sequence[int], **_: Any) -> None:
    """Puts each message on the timeline of every contact who takes part in it. Safe to repeat; three queries."""
    rows = Participant.objects.filter(message__in=message_ids)
    taking_part = set(rows.values_list("message_id", "address", "message__fingerprint", "message__received_at"))
    contacts = {contact.email: contact for contact in known_contacts({address for _, address, _, _ in taking_part})}
    TimelineEntry.objects.bulk_create(
        [
            TimelineEntry(
                contact=contacts[address], message_id=message_id, fingerprint=fingerprint, occurred_at=received_at
            )
            for message_id, address, fingerprint, received_at in taking_part
            if address in contacts
        ],
        ignore_conflicts=True,
    )
