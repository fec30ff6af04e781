"""Forms about what others see of an account's mail, and whom its owner blocks."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from mailaccounts.models import Shown, Visibility
from mailaccounts.rules.blocking import pattern_of


class VisibilityForm(forms.Form):
    """What colleagues see of a mailbox."""

    visibility = forms.ChoiceField(
        choices=Visibility.choices, error_messages={"required": _("Choose what your colleagues see.")}
    )


class BlockForm(forms.Form):
    """Whom to block."""

    pattern = forms.CharField(
        label=_("Address or domain"),
        max_length=320,
        help_text=_("anna@example.com, or @example.com for everybody there."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "inputmode": "email"}),
    )

    def clean_pattern(self) -> str:
        pattern = pattern_of(self.cleaned_data["pattern"])
        if not pattern:
            raise forms.ValidationError(
                _("This is neither an address nor a domain. Write anna@example.com or @example.com."), code="invalid"
            )
        return pattern


class ShownForm(forms.Form):
    """What colleagues see of one message."""

    shown = forms.ChoiceField(choices=Shown.choices, required=False)
