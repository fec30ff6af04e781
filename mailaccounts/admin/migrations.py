"""Migrations, to look at: who moves to what. What is done with them is done on the campaigns' own pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import Q
from django.urls import reverse
from django.utils.html import format_html

from mailaccounts.admin.filters import Choice
from mailaccounts.admin.readonly import ReadOnlyAdmin
from mailaccounts.backends.base import ConsentBackend
from mailaccounts.backends.registry import backends
from mailaccounts.models import MigrationRun

if TYPE_CHECKING:
    from collections.abc import Iterable


class Beginner(Choice):
    title, parameter_name = "who began it", "by_owner"

    def choose(self) -> Iterable[tuple[str, str]]:
        return (("1", "The owner of the account"), ("0", "An administrator"))

    def narrow(self, value: str) -> Q:
        return Q(by_owner=value == "1")


class To(Choice):
    title, parameter_name = "what accounts move to", "to"

    def choose(self) -> Iterable[tuple[str, str]]:
        return ((slug, str(each.label)) for slug, each in backends().items() if isinstance(each, ConsentBackend))

    def narrow(self, value: str) -> Q:
        return Q(to=value)


@admin.register(MigrationRun)
class MigrationRunAdmin(ReadOnlyAdmin):
    nothing = "Nothing was moved yet. A campaign moves many accounts at once."
    list_display = ("__str__", "moves_to", "client", "begun_by", "created_at", "finished_at", "board")
    list_filter = (Beginner, To)
    list_select_related = ("client", "created_by")
    ordering = ("-created_at", "-pk")
    unread = ("client__client_secret", "client__next_secret")
    fields = ("name", "to", "client", "tenant", "by_owner", "created_by", "created_at", "deadline", "paused_at")

    @admin.display(description="Moves to")
    def moves_to(self, run: MigrationRun) -> str:
        backend = backends().get(run.to)
        return str(backend.label) if backend else run.to

    @admin.display(description="Begun by")
    def begun_by(self, run: MigrationRun) -> str:
        if run.by_owner:
            return "The owner"
        return str(run.created_by) if run.created_by else "An administrator"

    @admin.display(description="Campaign")
    def board(self, run: MigrationRun) -> str:
        if run.by_owner:
            return ""
        return format_html('<a href="{}">See how it goes</a>', reverse("mailaccounts:campaign", args=[run.pk]))
