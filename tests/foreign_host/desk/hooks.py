from django.contrib.auth.models import User
from django.db.models.functions import Lower

from desk.models import CustomerEmail
from mailaccounts.hooks import Hooks
from mailaccounts.models import MailAccount


class DeskHooks(Hooks):
    def known_addresses(self, account, addresses):
        ours = User.objects.values(lower=Lower("email")).union(MailAccount.objects.values(lower=Lower("address")))
        known = CustomerEmail.objects.annotate(lower=Lower("address")).filter(lower__among=addresses)
        return set(known.exclude(lower__in=ours).values_list("lower", flat=True))
