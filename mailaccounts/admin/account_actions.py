"""What can be done with accounts from their list, one or many at once, and by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.http import HttpResponseRedirect
from django.urls import reverse

from mailaccounts.admin import off_boarding
from mailaccounts.admin.pages import tell
from mailaccounts.admin.readonly import MOST
from mailaccounts.models import MailAccount
from mailaccounts.services.running import operate

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

MOST_MOVED = 200  # accounts whose numbers fit into an address; a campaign chooses more by itself


class AccountActions:
    """Each says what came of it, in a sentence that fits when it was nothing."""

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("mailaccounts.operate_mailaccount")

    def has_migrate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("mailaccounts.change_migrationrun")

    def has_off_board_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("mailaccounts.off_board_mailaccount")

    @admin.action(description="Sync now", permissions=["operate"])
    def sync_now(self, request: HttpRequest, chosen: QuerySet[Any]) -> None:
        tell(
            request,
            operate.sync_soon(_listed(chosen)),
            one="1 account will be synced.",
            many="{} accounts will be synced.",
            none="Nothing will be synced: what was chosen is paused, disconnected, or hasn't begun.",
        )

    @admin.action(description="Pause", permissions=["operate"])
    def pause(self, request: HttpRequest, chosen: QuerySet[Any]) -> None:
        tell(
            request,
            operate.pause(_listed(chosen), actor=request.user),
            one="1 account is paused: nothing is read until it is resumed.",
            many="{} accounts are paused: nothing is read until they are resumed.",
            none="Nothing was paused: what was chosen is paused or disconnected already.",
        )

    @admin.action(description="Resume", permissions=["operate"])
    def resume(self, request: HttpRequest, chosen: QuerySet[Any]) -> None:
        tell(
            request,
            operate.resume(_listed(chosen), actor=request.user),
            one="1 account is resumed.",
            many="{} accounts are resumed.",
            none="Nothing was resumed: nothing of what was chosen is paused.",
        )

    @admin.action(description="Ask the owner to sign in again", permissions=["operate"])
    def ask_owner(self, request: HttpRequest, chosen: QuerySet[Any]) -> None:
        tell(
            request,
            operate.ask_owners(_listed(chosen), actor=request.user),
            one="The owner of 1 account is asked to sign in again.",
            many="The owners of {} accounts are asked to sign in again.",
            none="Nobody is asked: nothing of what was chosen waits for its owner to sign in.",
        )

    @admin.action(description="Test the connection", permissions=["operate"])
    def probe(self, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse | None:
        first = list(_listed(chosen).values_list("pk", flat=True)[:2])
        if len(first) == 1:
            return HttpResponseRedirect(reverse("admin:mailaccounts_mailaccount_probe", args=first))
        messages.warning(request, "One account at a time is tested: choose one.")
        return None

    @admin.action(description="Move to OAuth…", permissions=["migrate"])
    def migrate(self, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse | None:
        keys = list(_listed(chosen).values_list("pk", flat=True)[: MOST_MOVED + 1])
        if len(keys) <= MOST_MOVED:
            query = urlencode({"account": keys}, doseq=True)
            return HttpResponseRedirect(f"{reverse('mailaccounts:new_campaign')}?{query}")
        words = f"Choose {MOST_MOVED} at most; a campaign chooses more by provider, domain or kind of sign-in."
        messages.warning(request, words)
        return None

    @admin.action(description="Off-board…", permissions=["off_board"])
    def off_board(self, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse | None:
        keys = list(_listed(chosen).values_list("pk", flat=True)[: off_boarding.MOST + 1])
        if len(keys) <= off_boarding.MOST:
            query = urlencode({"account": keys}, doseq=True)
            return HttpResponseRedirect(f"{reverse('admin:mailaccounts_mailaccount_off_board')}?{query}")
        messages.warning(request, f"Choose {off_boarding.MOST} at most.")
        return None


def _listed(chosen: QuerySet[Any]) -> QuerySet[Any]:
    """Those that were chosen, and of "all" no more than the list led to."""
    return MailAccount.objects.filter(pk__in=list(chosen.values_list("pk", flat=True)[:MOST]))
