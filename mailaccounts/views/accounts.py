"""Settings → Email accounts: the list, one account, sync now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Count
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from mailaccounts import selectors
from mailaccounts.services.consents import consent
from mailaccounts.services.syncing.due import sync_soon
from mailaccounts.views import describe, health
from mailaccounts.views.access import managed_account, private, visible_account
from mailaccounts.views.banner import banner
from mailaccounts.views.parts import page_or_part
from mailaccounts.views.way import switched_context

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mailaccounts.views.access import Request


@private
@require_GET
def accounts(request: Request) -> HttpResponse:
    """The user's accounts, each with how it is doing in words."""
    found = health.overview(selectors.accounts_for(request.user).order_by("address"))
    return render(
        request,
        "mailaccounts/account_list.html",
        {
            "accounts": found,
            "handed_over": selectors.handed_to(request.user).annotate(stored=Count("messages")).order_by("address"),
            "receipts": selectors.receipts_for(request.user).exists(),
        },
    )


@private
@require_GET
def account(request: Request, pk: int) -> HttpResponse:
    """One account; for htmx only the part that changes while a sync runs."""
    found = visible_account(request, pk)
    if found.is_erasing:
        return redirect("mailaccounts:disconnect", found.pk)  # which knows its receipt
    context = {"account": found, "state": describe.state(found), "health": health.of(found)}
    if not request.htmx:
        how = describe.sign_in(found)
        context |= {
            "sign_in": how,
            "receipts": selectors.receipts_for(request.user).filter(account=found.pk),
            "banner": banner(found, how.current),
            "can_allow_sending": bool(
                how.current and how.current.backend == consent.backend_slug() and not found.smtp_host
            ),
            **switched_context(found),
        }
    return page_or_part(request, "account", "account_state", context)


@private
@require_POST
def sync_now(request: Request, pk: int) -> HttpResponse:
    """Queues a sync and goes back to the account, which shows how it goes."""
    found = managed_account(request, pk)
    sync_soon(found)
    return redirect("mailaccounts:account", found.pk)
