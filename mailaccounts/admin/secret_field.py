"""A field that a secret is typed into, and that never shows one."""

from __future__ import annotations

from typing import Any

from django import forms

from mailaccounts.crypto import Secret
from mailaccounts.oauth import proofs


class WriteOnly(forms.Textarea):
    """A field for a secret: there is nothing in it, whatever is kept or was typed before."""

    def __init__(self) -> None:
        looks = "vLargeTextField write-only"
        super().__init__({"rows": 3, "class": looks, "autocomplete": "off", "spellcheck": "false"})

    def format_value(self, value: object) -> None:
        return None


class SecretField(forms.CharField):
    """What was typed, as a Secret: it doesn't print where something goes wrong with the form."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, widget=WriteOnly(), max_length=proofs.MOST_CHARACTERS, **options)

    def clean(self, value: Any) -> Secret:
        return Secret(super().clean(value))
