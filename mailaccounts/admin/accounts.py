"""Mail accounts and how they sign in, to look at."""

from __future__ import annotations

from django.contrib import admin

from mailaccounts.admin.readonly import ReadOnlyAdmin, ReadOnlyInline
from mailaccounts.models import Credential, Folder, MailAccount


class CredentialInline(ReadOnlyInline):
    model = Credential
    fields = ("backend", "username", "state", "created_at", "proven_at", "retired_at")


class FolderInline(ReadOnlyInline):
    """Roles and figures; names of folders are the owner's."""

    model = Folder
    fields = ("role", "examined", "last_uid", "synced_at", "missing_since")


@admin.register(MailAccount)
class MailAccountAdmin(ReadOnlyAdmin):
    list_display = ("address", "owner", "status", "status_code", "last_sync_at", "next_sync_at", "failures")
    list_filter = ("status", "imap_host")
    list_select_related = ("owner",)
    search_fields = ("address", "owner__username", "imap_host")
    date_hierarchy = "created_at"
    inlines = (CredentialInline, FolderInline)
    fieldsets = (
        (None, {"fields": ("owner", "address", "created_at", "since")}),
        (
            "Servers",
            {"fields": ("imap_host", "imap_port", "imap_security", "smtp_host", "smtp_port", "smtp_security")},
        ),
        (
            "State",
            {
                "fields": (
                    "status",
                    "status_code",
                    "status_message",
                    "failures",
                    "clean_syncs",
                    "last_sync_at",
                    "next_sync_at",
                    "lease_until",
                )
            },
        ),
        ("Server and store", {"fields": ("compared_at", "compared_missing", "compared_doubled")}),
    )
