"""Disconnecting a mailbox, and the receipts that it ends with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.http import JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from mailaccounts import selectors
from mailaccounts.errors import MailAccountsError
from mailaccounts.forms.accounts import DisconnectForm
from mailaccounts.services.connecting import disconnect as disconnecting
from mailaccounts.services.connecting.receipt import Receipt
from mailaccounts.views import describe
from mailaccounts.views.access import careful, managed_account, private
from mailaccounts.views.parts import page_or_part

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from mailaccounts.models import AuditEntry
    from mailaccounts.views.access import Request


@transaction.non_atomic_requests  # the provider is asked, and what was done before stands
@careful
@require_http_methods(["GET", "POST"])
def disconnect(request: Request, pk: int) -> HttpResponse:
    """Says what will happen and asks about the stored mail, then disconnects; later, erases mail that was kept."""
    found = managed_account(request, pk)
    if found.is_erasing:
        return redirect("mailaccounts:receipt", selectors.receipts_for(request.user).filter(account=pk)[0].pk)
    form = DisconnectForm(request.POST if request.method == "POST" else None)
    context: dict[str, object] = {
        "account": found,
        "stored": describe.stored_messages(found),
        "sign_in": describe.sign_in(found),
        "form": form,
    }
    if form.is_bound and form.is_valid():
        try:
            entry = disconnecting.disconnect(found, erase_mail=form.erases, actor=request.user)
        except MailAccountsError as error:
            context["problem"] = describe.Problem.of(error)
        else:
            return redirect("mailaccounts:receipt", entry.pk)
    return render(request, "mailaccounts/disconnect.html", context)


@private
@require_GET
def receipts(request: Request) -> HttpResponse:
    """Every receipt of the user's."""
    return render(request, "mailaccounts/receipts.html", {"receipts": selectors.receipts_for(request.user)})


@private
@require_GET
def receipt(request: Request, pk: UUID) -> HttpResponse:
    """One receipt; for htmx only what changes while mail is being erased."""
    shown = Receipt.of(_own(request, pk))
    account = selectors.accounts_for(request.user).filter(pk=shown.account).first()
    return page_or_part(request, "receipt", "receipt_state", {"receipt": shown, "account": account})


@private
@require_GET
def receipt_json(request: Request, pk: UUID) -> HttpResponse:
    """A receipt to keep, for programs."""
    name = f"receipt-{pk}.json"
    return JsonResponse(
        Receipt.of(_own(request, pk)).as_json(),
        json_dumps_params={"indent": 2, "ensure_ascii": False},
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _own(request: Request, pk: UUID) -> AuditEntry:
    """The receipt if it is the user's; 404 otherwise, as if it didn't exist."""
    entry: AuditEntry = get_object_or_404(selectors.receipts_for(request.user).select_related("actor"), pk=pk)
    return entry
