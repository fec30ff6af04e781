"""Forms of the CRM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms

from crm.contacts import company_named
from crm.models import Contact

if TYPE_CHECKING:
    _ContactForm = forms.ModelForm[Contact]
else:
    _ContactForm = forms.ModelForm


class ContactForm(_ContactForm):
    """A person, with the company by name."""

    company_name = forms.CharField(label="Company", max_length=200, required=False)

    class Meta:
        model = Contact
        fields = ("name", "email")
        labels = {"email": "Email address"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.company:
            self.fields["company_name"].initial = self.instance.company.name

    def save(self, commit: bool = True) -> Contact:
        self.instance.company = company_named(self.cleaned_data["company_name"])
        return super().save(commit)
