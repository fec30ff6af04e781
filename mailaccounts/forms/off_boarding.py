"""What becomes of the mail of users who left."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import get_user_model

from mailaccounts.selectors import is_deactivated

HAND_OVER, ERASE = "hand_over", "erase"


class OffBoardForm(forms.Form):
    """Valid once an active heir is named, or erasing is chosen, and it is confirmed."""

    do = forms.ChoiceField(
        label="What becomes of the mail",
        choices=[
            (HAND_OVER, "Hand over what colleagues could see of it; erase the rest"),
            (ERASE, "Erase all of it"),
        ],
        widget=forms.RadioSelect,
    )
    heir = forms.CharField(
        label="To whom", required=False, max_length=254, help_text="The user name of a colleague, who may read it."
    )
    sure = forms.BooleanField(label="I know that what is erased can't be brought back")

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
        return self.cleaned_data["heir"]
