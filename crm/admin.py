"""The CRM's models in Django's admin. The timeline is not here: it leads to people's mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms import BaseInlineFormSet

from crm.changes import following
from crm.contacts import remove_company, remove_contact
from crm.folding import fold_address, fold_domain
from crm.models import Barred, Company, CompanyDomain, Contact, ContactAddress

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

    _CompanyAdmin = admin.ModelAdmin[Company]
    _ContactAdmin = admin.ModelAdmin[Contact]
    _BarredAdmin = admin.ModelAdmin[Barred]
    _Addresses = admin.TabularInline[ContactAddress, Contact]
    _Domains = admin.TabularInline[CompanyDomain, Company]
    _FormSet = BaseInlineFormSet[Any, Any, Any]
else:
    _CompanyAdmin = _ContactAdmin = _BarredAdmin = admin.ModelAdmin
    _Addresses = _Domains = admin.TabularInline
    _FormSet = BaseInlineFormSet


class EachOnce(_FormSet):
    """Rows that are the same when they are folded are refused, before the database does."""

    def clean(self) -> None:
        super().clean()
        seen: set[str] = set()
        for form in self.forms:
            values = getattr(form, "cleaned_data", {})
            folded = fold_address(values.get("address", "")) or fold_domain(values.get("domain", ""))
            if folded and not values.get("DELETE") and folded in seen:
                raise ValidationError(f"{folded} is here twice.")
            seen.add(folded)


class Addresses(_Addresses):
    model = ContactAddress
    formset = EachOnce
    extra = 1
    min_num = 1
    validate_min = True


class Domains(_Domains):
    model = CompanyDomain
    formset = EachOnce
    extra = 1


class Followed:
    """Mailboxes are told of what is changed here of whom we know."""

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        with following(formset.instance):
            super().save_formset(request, form, formset, change)  # type: ignore[misc]  # of ModelAdmin

    def delete_model(self, request: HttpRequest, obj: Contact | Company) -> None:
        remove_contact(obj) if isinstance(obj, Contact) else remove_company(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for each in queryset:
            self.delete_model(request, each)


@admin.register(Company)
class CompanyAdmin(Followed, _CompanyAdmin):
    list_display = ("name",)
    search_fields = ("name", "domains__domain")
    inlines = (Domains,)


@admin.register(Barred)
class BarredAdmin(_BarredAdmin):
    """To look at: barring erases, and asks first, in the settings."""

    list_display = ("pattern", "by", "created_at")
    search_fields = ("pattern",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Barred | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Barred | None = None) -> bool:
        return False


@admin.register(Contact)
class ContactAdmin(Followed, _ContactAdmin):
    list_display = ("name", "email", "company", "created_at")
    list_select_related = ("company",)
    search_fields = ("name", "addresses__address", "company__name")
    autocomplete_fields = ("company",)
    inlines = (Addresses,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Contact]:
        return super().get_queryset(request).prefetch_related("addresses")
