"""Outgoing mail: how it is doing. What it says, and to whom, is its author's."""

from __future__ import annotations

from django.contrib import admin

from mailaccounts.admin.filters import titled
from mailaccounts.admin.readonly import ReadOnlyAdmin
from mailaccounts.models import Outgoing


@admin.register(Outgoing)
class OutgoingAdmin(ReadOnlyAdmin):
    nothing = "Nothing was written here yet."
    list_display = ("account", "state", "code", "attempts", "filing", "queued_at", "sent_at")
    list_filter = ("state", ("filing", titled("whether it is filed in Sent", admin.ChoicesFieldListFilter)))
    list_select_related = ("account",)
    unread = ("subject", "body_text", "body_html", "raw")
    search_fields = ("account__address",)
    fields = (
        *("account", "state", "code", "attempts", "failures", "next_at", "held_at", "filing"),
        *("created_at", "queued_at", "sent_at"),
    )

    def called(self, row: Outgoing) -> str:
        return f"Number {row.pk} of {row.account}: {row.get_state_display()}"
