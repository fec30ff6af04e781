from django.db.models.functions import Lower
from django.dispatch import receiver

from desk.models import CustomerEmail, Note
from mailaccounts.models import Participant
from mailaccounts.signals import message_stored


@receiver(message_stored)
def write_notes(*, message_ids, **kwargs):
    for party in Participant.objects.filter(message__in=message_ids):
        for each in CustomerEmail.objects.alias(lower=Lower("address")).filter(lower=party.address):
            Note.objects.get_or_create(customer_id=each.customer_id, mail_id=party.message_id)
