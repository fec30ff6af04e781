"""Forms of the CRM."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from crm.contacts import company_named, set_addresses, set_domains
from crm.folding import fold_address, fold_domain
from crm.models import Company, CompanyDomain, Contact, ContactAddress
from crm.public_domains import is_public

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.http import QueryDict

    from mailaccounts.models import DirectoryChange

    _ContactForm = forms.ModelForm[Contact]
    _CompanyForm = forms.ModelForm[Company]
else:
    _ContactForm = _CompanyForm = forms.ModelForm

MOST_ADDRESSES = 50  # of one contact


@dataclass(slots=True)
class AddressRow:
    """A line of the form: an address, or room for one."""

    address: str = ""
    is_main: bool = False
    error: str = ""


class ContactForm(_ContactForm):
    """A person with their addresses, one ``email`` each, and the company by name. Empty lines don't count.

    ``main`` is the number of the line with the main address, from 0.
    """

    company_name = forms.CharField(label="Company", max_length=200, required=False)
    removed: DirectoryChange | None = None  # by saving

    class Meta:
        model = Contact
        fields = ("name",)

    def __init__(self, data: QueryDict | None = None, *, rows: list[AddressRow] | None = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        if self.instance.company:
            self.fields["company_name"].initial = self.instance.company.name
        if rows is None:
            rows = rows_typed(data) if data else self._rows_stored()
        self.rows = rows or [AddressRow()]
        if not any(row.is_main for row in self.rows):
            self.rows[0].is_main = True

    @classmethod
    def reshaped(cls, typed: QueryDict, *, instance: Contact | None) -> Self:
        """What was typed, with one line more (``more``) or without the line ``remove``; nothing is judged yet."""
        rows = rows_typed(typed)
        if "more" in typed:
            rows.append(AddressRow())
        gone = typed.get("remove", "")
        kept = [row for number, row in enumerate(rows) if str(number) != gone]
        initial = {name: typed.get(name, "") for name in ("name", "company_name")}
        return cls(instance=instance, initial=initial, rows=kept)

    def clean(self) -> None:
        """Judges each line by itself: what is wrong is said beside it."""
        super().clean()
        rows = [row for row in self.rows if row.address]
        seen: set[str] = set()
        for row in rows:
            row.error = self._complaint(row.address, seen)
        if not rows:
            self.rows[0].error = "This field is required."
        if any(row.error for row in self.rows):
            self.add_error(None, ValidationError("Please look at the addresses.", code="addresses"))

    @transaction.atomic
    def save(self, commit: bool = True) -> Contact:
        self.instance.company = company_named(self.cleaned_data["company_name"])
        contact = super().save(commit)
        main_first = sorted((row for row in self.rows if row.address), key=lambda row: not row.is_main)
        self.removed = set_addresses(contact, [row.address for row in main_first])
        return contact

    def _rows_stored(self) -> list[AddressRow]:
        stored = self.instance.addresses.all() if self.instance.pk else ()
        return [AddressRow(each.address, each.is_primary) for each in stored]

    def _complaint(self, address: str, seen: set[str]) -> str:
        folded = fold_address(address)
        if folded in seen:
            return "This is the same address as another one here."
        seen.add(folded)
        mine = ContactAddress.objects.filter(contact=self.instance.pk, folded=folded).first() or ContactAddress()
        mine.address = address
        try:
            mine.full_clean(exclude=["contact"])
        except ValidationError as error:
            return " ".join(error.messages)
        return ""


class CompanyForm(_CompanyForm):
    """A company and the domains whose mail is the company's, separated by spaces or commas."""

    domain_names = forms.CharField(
        label="Domains",
        required=False,
        max_length=2000,
        help_text="Mail with anybody at one of these domains belongs to the company, contacts or not. "
        "Separate several with spaces.",
    )
    removed: DirectoryChange | None = None  # by saving

    class Meta:
        model = Company
        fields = ("name",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["domain_names"].initial = " ".join(each.domain for each in self.instance.domains.all())

    def clean_domain_names(self) -> list[str]:
        domains = [each.strip("@.") for each in re.split(r"[\s,;]+", self.cleaned_data["domain_names"].lower())]
        return [each for each in domains if each and self._is_fine(each)]

    @transaction.atomic
    def save(self, commit: bool = True) -> Company:
        company = super().save(commit)
        self.removed = set_domains(company, self.cleaned_data["domain_names"])
        return company

    def _is_fine(self, domain: str) -> bool:
        folded = fold_domain(domain)
        mine = CompanyDomain.objects.filter(company=self.instance.pk, folded=folded).first() or CompanyDomain()
        mine.domain = domain
        try:
            mine.full_clean(exclude=["company"])
        except ValidationError as error:
            raise ValidationError(error.messages) from None  # the field has another name here
        return True


class BarForm(forms.Form):
    """What to bar, an address or a domain; ``cleaned_data["pattern"]`` is folded."""

    pattern = forms.CharField(
        label="Address or domain", max_length=320, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def clean_pattern(self) -> str:
        typed = self.cleaned_data["pattern"].strip().lower()
        local, _, domain = typed.rpartition("@")
        try:
            validate_email(typed if local else f"anybody@{domain}")
        except ValidationError:
            raise ValidationError("Enter an email address or a domain, such as example.com.") from None
        if not local and is_public(fold_domain(domain)):
            raise ValidationError(f"Too many people have addresses at {domain}: bar one address at a time.")
        return fold_address(typed) if local else f"@{fold_domain(domain)}"


def rows_typed(typed: QueryDict) -> list[AddressRow]:
    """The lines as they came, the first ones of too many."""
    main = typed.get("main", "0")
    addresses: Iterable[str] = typed.getlist("email")[:MOST_ADDRESSES]
    return [AddressRow(each.strip().lower(), str(number) == main) for number, each in enumerate(addresses)]
