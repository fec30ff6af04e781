"""What becomes of the mail of users who left."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import get_user_model

from mailaccounts.selectors import is_deactivated

HAND_OVER, ERASE = "hand_over", "erase"


class OffBoardForm(forms.Form):
    """Valid once an active heir is named, or erasing is chosen."""

    do = forms.ChoiceField(
        label="What becomes of it",
        choices=[(HAND_OVER, "Hand it over to a colleague"), (ERASE, "Erase all of it")],
        error_messages={"required": "Choose one of the two."},
        widget=forms.RadioSelect,
    )
    heir = forms.CharField(
        label="User name of the colleague",
        required=False,
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )

    def clean_heir(self) -> Any:
        name = self.cleaned_data["heir"].strip()
        if self.cleaned_data.get("do") != HAND_OVER:
            return None
        if not name:
            raise forms.ValidationError("Say to whom.")
        users = get_user_model()._default_manager
        found = users.filter(**{get_user_model().USERNAME_FIELD: name}).first()
        if found is None or is_deactivated(found):
            raise forms.ValidationError("There is no active user of this name.")
        return found

    @property
    def erases(self) -> bool:
        return bool(self.cleaned_data["do"] == ERASE)

    @property
    def heir_named(self) -> Any:
        """None where all is erased."""
        return self.cleaned_data["heir"]
