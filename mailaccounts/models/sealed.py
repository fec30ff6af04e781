"""SealedText: for what a host wants sealed of its own."""

from __future__ import annotations

import uuid

from django.db import models

from mailaccounts.fields import SealedField


class SealedText(models.Model):
    """A text that is sealed at rest. Hosts inherit from it; ``rotate_keys`` and the checks know their tables too."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    text = SealedField()

    class Meta:
        abstract = True
