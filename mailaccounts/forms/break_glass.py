"""The form that opens somebody's mailbox."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from mailaccounts.services.trail import break_glass

FEWEST_WORDS = 3


def _spans() -> list[tuple[int, Any]]:
    return [(each, _in_words(each)) for each in break_glass.spans()]


def _in_words(minutes: int) -> str:
    if minutes % 60:
        return ngettext("%d minute", "%d minutes", minutes) % minutes
    return ngettext("%d hour", "%d hours", minutes // 60) % (minutes // 60)


class OpenForm(forms.Form):
    """Why somebody wants to look, and for how long."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("What you have to find out, and for whom: the mailbox's owner is told."),
    )
    minutes = forms.TypedChoiceField(
        label=_("For how long?"),
        choices=_spans,
        coerce=int,
        widget=forms.RadioSelect(attrs={"class": "form-check-input"}),
    )

    def clean_reason(self) -> str:
        reason: str = self.cleaned_data["reason"]
        if len(reason.split()) < FEWEST_WORDS:
            raise forms.ValidationError(_("Say it in a few words at least."), code="terse")
        return reason
