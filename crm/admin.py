"""The CRM's models in Django's admin. The timeline is not here: it leads to people's mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from crm.models import Company, Contact

if TYPE_CHECKING:
    _CompanyAdmin = admin.ModelAdmin[Company]
    _ContactAdmin = admin.ModelAdmin[Contact]
else:
    _CompanyAdmin = _ContactAdmin = admin.ModelAdmin


@admin.register(Company)
class CompanyAdmin(_CompanyAdmin):
    list_display = ("name",)
    search_fields = ("name",)


@admin.register(Contact)
class ContactAdmin(_ContactAdmin):
    list_display = ("name", "email", "company", "created_at")
    list_select_related = ("company",)
    search_fields = ("name", "email", "company__name")
    autocomplete_fields = ("company",)
