"""The audit trail, to look at: what was done with accounts, by whom, when. It holds no content of mail."""

from __future__ import annotations

from django.contrib import admin

from mailaccounts.admin.readonly import ReadOnlyAdmin
from mailaccounts.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "action", "address", "actor", "owner")
    list_filter = ("action", ("at", admin.DateFieldListFilter))
    list_select_related = ("actor", "owner")
    list_display_links = ("at",)
    ordering = ("-at", "-pk")
    search_fields = ("address", "actor__username")
    fields = ("at", "action", "actor", "owner", "account", "address", "facts")
