"""The receipts that off-boarding ends with, for those who may off-board: of users who left, and of nobody else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, JsonResponse

from mailaccounts.admin import pages
from mailaccounts.admin.off_boarding import MOST, asked_for
from mailaccounts.models import MailAccount
from mailaccounts.selectors import deactivated, receipts
from mailaccounts.services.connecting.receipt import Receipt

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

    from mailaccounts.models import AuditEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A receipt, with the user to whom its mail is on its way, if it is."""

    receipt: Receipt
    heir: Any

    @property
    def under_way(self) -> bool:
        return bool(self.heir) or self.receipt.erasing


def page(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """The receipts of each ``account``, the newest first, with how far its mail is: one of when it was disconnected
    tells what was destroyed, one of when it was erased what became of the mail."""
    keys = asked_for(request)
    found = _of_departed(model_admin, request).filter(account__in=keys).order_by("address", "account", "-at")
    moving = MailAccount.objects.filter(pk__in=keys, heir__isnull=False).select_related("heir")
    heirs = {account.pk: account.heir for account in moving}
    shown = [Shown(receipt=Receipt.of(entry), heir=heirs.pop(entry.account, None)) for entry in found[:MOST]]
    context = {"shown": shown, "under_way": any(each.under_way for each in shown), "here": request.get_full_path()}
    return pages.render(
        model_admin, request, "mailaccount/off_board_receipts", title="Receipts of off-boarding", **context
    )


def as_json(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """The receipt of this ``number``, for programs and to be checked."""
    entries = _of_departed(model_admin, request)
    try:
        entry = entries.get(pk=UUID(request.GET.get("number", "")))
    except (ValueError, entries.model.DoesNotExist):
        raise Http404 from None
    return JsonResponse(
        Receipt.of(entry).as_json(),
        json_dumps_params={"indent": 2, "ensure_ascii": False},
        headers={"Content-Disposition": f'attachment; filename="receipt-{entry.pk}.json"'},
    )


def _of_departed(model_admin: Any, request: HttpRequest) -> QuerySet[AuditEntry]:
    if not model_admin.has_off_board_permission(request):
        raise PermissionDenied
    return receipts().filter(deactivated("owner__"))
