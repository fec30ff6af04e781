"""Grants, to look at. They come from consents."""

from __future__ import annotations

from django.contrib import admin

from mailaccounts.admin.readonly import ReadOnlyAdmin
from mailaccounts.models import Grant


@admin.register(Grant)
class GrantAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "tenant", "status", "expires_at", "refreshed_at")
    list_filter = ("status", "client")
    list_select_related = ("client",)
    search_fields = ("signed_in_as", "subject")
    fields = (
        "client",
        "signed_in_as",
        "issuer",
        "subject",
        "tenant",
        "object_id",
        "scopes",
        "status",
        "version",
        "expires_at",
        "created_at",
        "refreshed_at",
    )
