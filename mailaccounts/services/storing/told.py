"""Places that a mail server told of when messages were moved (COPYUID, RFC 4315 §3), and no sync has seen yet."""

from __future__ import annotations

from django.db.models import Exists, F, OuterRef, Q

from mailaccounts.models import MessageUid

TOLD = Q(uidvalidity=F("folder__uidvalidity"), uid__gt=F("folder__last_uid"))
_COMING_BACK = Q(moving_to=F("folder"))  # where messages are to be again that have left
_NEW = MessageUid.objects.filter(TOLD, ~_COMING_BACK, message=OuterRef("message"), folder=OuterRef("moving_to"))
LEFT = Q(Exists(_NEW))  # places of messages that the server has told another of
