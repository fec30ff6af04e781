"""How far back mail is wanted: before the first sync, and later on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailaccounts.conf import settings

if TYPE_CHECKING:
    from datetime import date

    from mailaccounts.models import Preview

DAY, EVERYTHING = "day", "everything"


class DepthForm(forms.Form):
    """How far back mail is wanted."""

    since = forms.DateField(
        label=_("Bring in mail since"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    everything = forms.BooleanField(label=_("All the mail there is"), required=False)

    def clean(self) -> dict[str, Any]:
        """A day, or everything: neither is no answer."""
        data = super().clean() or {}
        since: date | None = data.get("since")
        if since and since > timezone.localdate():
            self.add_error("since", forms.ValidationError(_("This day is still to come."), code="future"))
        if not (since or data.get("everything") or self.errors):
            self.add_error("since", forms.ValidationError(_("Say since which day, or choose all."), code="required"))
        return data


def _depths() -> list[tuple[str, Any]]:
    days = sorted({30, 90, 365, settings.first_sync_days})
    last = [(str(each), _("The last year") if each == 365 else _("The last %d days") % each) for each in days]
    return [*last, (DAY, _("Since a day of your choice")), (EVERYTHING, _("All the mail there is"))]


class BeginForm(forms.Form):
    """How far back a first sync goes: some days, a day of one's own, or all there is."""

    depth = forms.ChoiceField(
        label=_("How far back?"), choices=_depths, widget=forms.RadioSelect(attrs={"class": "form-check-input"})
    )
    since = forms.DateField(label=_("Since this day"), required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, data: Any = None, *, preview: Preview | None = None) -> None:
        """What is chosen at first is what a ``preview`` was asked for, or what the settings say."""
        initial = {"depth": str(settings.first_sync_days)}
        if preview is not None:
            ago = str((timezone.localdate() - preview.since).days) if preview.since else EVERYTHING
            initial = {"depth": ago} if ago in dict(_depths()) else {"depth": DAY, "since": str(preview.since)}
        super().__init__(data, initial=initial)

    def clean_since(self) -> date | None:
        since: date | None = self.cleaned_data["since"]
        if self.cleaned_data.get("depth") != DAY:
            return None
        if since is None:
            raise forms.ValidationError(_("Say since which day."), code="required")
        if since > timezone.localdate():
            raise forms.ValidationError(_("This day is still to come."), code="future")
        return since

    @property
    def day(self) -> date | None:
        """The first day of what was chosen; None for all there is."""
        since: date | None = self.cleaned_data["since"]
        depth = self.cleaned_data["depth"]
        return timezone.localdate() - timedelta(days=int(depth)) if depth.isdecimal() else since
