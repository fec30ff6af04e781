"""Who opened whose mail, when and why: for those who have to see to it that this is done for good reason. No mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.utils.text import Truncator

from mailaccounts.admin.filters import Choice, when
from mailaccounts.admin.pages import tell
from mailaccounts.admin.readonly import USERNAME, ReadOnlyAdmin
from mailaccounts.models import BreakGlass
from mailaccounts.selectors import is_open
from mailaccounts.services.trail import break_glass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import Q, QuerySet
    from django.http import HttpRequest


class Now(Choice):
    title, parameter_name = "how it is now", "now"

    def choose(self) -> Iterable[tuple[str, Any]]:
        return (("open", "Open"), ("over", "Over"))

    def narrow(self, value: str) -> Q:
        return is_open() if value == "open" else ~is_open()


@admin.register(BreakGlass)
class BreakGlassAdmin(ReadOnlyAdmin):
    nothing = "Nobody opened the mail of somebody else."
    list_display = ("opened_at", "account", "viewer", "until", "ended_at", "why")
    list_filter = (Now, ("opened_at", when("when it was opened")))
    list_select_related = ("account__owner", "viewer")
    search_fields = ("account__address", f"viewer__{USERNAME}")
    fields = ("account", "owner", "viewer", "reason", "opened_at", "until", "ended_at", "told_at", "looked_at")
    readonly_fields = ("owner", "looked_at")
    actions = ("end_now",)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("mailaccounts.change_breakglass")

    def called(self, row: BreakGlass) -> str:
        return f"{row.account}, opened by {break_glass.called(row.viewer)}"

    @admin.display(description="Owner")
    def owner(self, opening: BreakGlass) -> str:
        return str(opening.account.owner)

    @admin.display(description="Reason")
    def why(self, opening: BreakGlass) -> str:
        return Truncator(opening.reason).chars(80)

    @admin.display(description="Looks")
    def looked_at(self, opening: BreakGlass) -> int:
        """How many; at which messages is for the owner to see."""
        return opening.looks.count()

    @admin.action(description="End now", permissions=["end"])
    def end_now(self, request: HttpRequest, chosen: QuerySet[Any]) -> None:
        count = break_glass.end(chosen.filter(is_open()), actor=request.user)
        tell(
            request,
            count,
            one="1 mailbox is closed again.",
            many="{} mailboxes are closed again.",
            none="None of them was open any more.",
        )
