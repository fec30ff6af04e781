"""Migrations, to look at: who moves to what. What is done with them is done on the campaigns' own pages."""

from __future__ import annotations

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html

from mailaccounts.admin.readonly import ReadOnlyAdmin
from mailaccounts.models import MigrationRun


@admin.register(MigrationRun)
class MigrationRunAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "to", "client", "by_owner", "created_by", "created_at", "finished_at", "board")
    list_filter = ("by_owner", "to")
    list_select_related = ("client", "created_by")
    ordering = ("-created_at", "-pk")
    unread = ("client__client_secret", "client__next_secret")
    fields = ("name", "to", "client", "tenant", "by_owner", "created_by", "created_at", "deadline", "paused_at")

    @admin.display(description="")
    def board(self, run: MigrationRun) -> str:
        if run.by_owner:
            return ""
        return format_html('<a href="{}">Board</a>', reverse("mailaccounts:campaign", args=[run.pk]))
