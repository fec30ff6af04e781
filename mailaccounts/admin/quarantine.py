"""Messages that made trouble: how many, where and why. What they are about is their owner's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin

from mailaccounts.admin.pages import tell
from mailaccounts.admin.readonly import ReadOnlyAdmin
from mailaccounts.models import Quarantined
from mailaccounts.services.syncing.quarantine import release

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


@admin.register(Quarantined)
class QuarantinedAdmin(ReadOnlyAdmin):
    nothing = "No message makes trouble."
    list_display = ("account", "where", "fault", "size", "attempts", "next_attempt_at", "created_at")
    list_filter = ("fault",)
    list_select_related = ("folder__account",)
    search_fields = ("folder__account__address",)
    fields = ("account", "where", "uid", "fault", "size", "received_at", "attempts", "next_attempt_at", "created_at")
    readonly_fields = ("account", "where")
    actions = ("try_again",)

    def called(self, row: Quarantined) -> str:
        return f"A message of {row.folder.account}"

    @admin.display(ordering="folder__account__address")
    def account(self, quarantined: Quarantined) -> str:
        return quarantined.folder.account.address

    @admin.display(description="folder", ordering="folder__role")
    def where(self, quarantined: Quarantined) -> str:
        """The folder's role: its name is its owner's."""
        return str(quarantined.folder)

    def has_release_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("mailaccounts.release_quarantined")

    @admin.action(description="Try again", permissions=["release"])
    def try_again(self, request: HttpRequest, chosen: QuerySet[Any]) -> None:
        tell(
            request,
            release(chosen),
            one="1 message will be tried again.",
            many="{} messages will be tried again.",
            none="Nothing is left to try: these messages make no trouble any more.",
        )
