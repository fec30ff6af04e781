"""Grants, to look at. They come from consents."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import Q
from django.utils import timezone

from mailaccounts.admin.filters import Choice
from mailaccounts.admin.readonly import ReadOnlyAdmin
from mailaccounts.models import Grant, OAuthClient

if TYPE_CHECKING:
    from collections.abc import Iterable


class Idle(Choice):
    """A provider ends what nobody uses for long: Microsoft after 90 days."""

    title, parameter_name = "how long nobody used it", "idle"

    def choose(self) -> Iterable[tuple[str, str]]:
        return (("30", "For 30 days"), ("60", "For 60 days"), ("90", "For 90 days"))

    def narrow(self, value: str) -> Q:
        if not value.isdecimal() or len(value) > 4:
            return Q()
        since = timezone.now() - timedelta(days=int(value))
        return Q(refreshed_at__lt=since) | Q(refreshed_at__isnull=True, created_at__lt=since)


class Whose(Choice):
    title, parameter_name = "whom it is for", "app_only"

    def choose(self) -> Iterable[tuple[str, str]]:
        return (("0", "One person"), ("1", "A whole organisation"))

    def narrow(self, value: str) -> Q:
        return Q(app_only=value == "1")


class Registration(Choice):
    """Which app registration a grant is for; asks for names and nothing else."""

    title, parameter_name = "app registration", "client"

    def choose(self) -> Iterable[tuple[str, str]]:
        return [(str(pk), name) for pk, name in OAuthClient.objects.order_by("name").values_list("pk", "name")]

    def narrow(self, value: str) -> Q:
        return Q(client__in=[pk for pk, _ in self.lookup_choices if str(pk) == value])


@admin.register(Grant)
class GrantAdmin(ReadOnlyAdmin):
    nothing = "There is no grant yet: they come from consents, when mailboxes are connected with OAuth."
    list_display = ("__str__", "tenant", "app_only", "status", "expires_at", "refreshed_at")
    list_filter = ("status", Whose, Idle, Registration)
    list_select_related = ("client",)
    unread = ("state", "access_token", "client__client_secret", "client__next_secret")
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
