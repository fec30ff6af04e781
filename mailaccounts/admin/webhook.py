"""What the webhook's target is told, and whether it took it; to look at, and to send again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin

from mailaccounts.admin.pages import tell
from mailaccounts.admin.readonly import MOST, ReadOnlyAdmin
from mailaccounts.models import WebhookDelivery
from mailaccounts.services.telling.webhook import send_again

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    nothing = "Nothing was told to a webhook: the setting WEBHOOK_URL names whom to tell."
    list_display = ("event", "created_at", "attempts", "next_at", "delivered_at", "given_up_at", "last_status")
    list_filter = ("event",)
    ordering = ("-created_at", "-pk")
    fields = ("id", *list_display, "last_code", "payload")
    actions = ("send_again",)

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("mailaccounts.resend_webhookdelivery")

    @admin.action(description="Send again", permissions=["resend"])
    def send_again(self, request: HttpRequest, chosen: QuerySet[Any]) -> None:
        first = list(chosen.values_list("pk", flat=True)[:MOST])  # of "all" no more than the list leads to
        count = send_again(WebhookDelivery.objects.filter(pk__in=first))
        tell(
            request,
            count,
            one="1 delivery is sent again.",
            many="{} deliveries are sent again.",
            none="Nothing is sent again: these deliveries were forgotten meanwhile.",
        )
