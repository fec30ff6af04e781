"""Alarms, to look at: when what was wrong, and whether the ADMINS were told."""

from __future__ import annotations

from django.contrib import admin

from mailaccounts.admin.readonly import ReadOnlyAdmin
from mailaccounts.models import Alarm


@admin.register(Alarm)
class AlarmAdmin(ReadOnlyAdmin):
    nothing = "There was never an alarm."
    list_display = ("kind", "words", "since", "raised_at", "until", "told_at")
    list_filter = ("kind",)
    ordering = ("-since", "-pk")
    fields = ("kind", "subject", "words", "since", "raised_at", "gone_at", "until", "told_at")

    def called(self, row: Alarm) -> str:
        return str(row.get_kind_display())
