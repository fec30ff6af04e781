"""Settings → Email accounts → an account → ledger: what was done with its mail, who opened it and who looked
at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.paginator import Paginator
from django.db.models import Sum
from django.shortcuts import render
from django.views.decorators.http import require_GET

from mailaccounts import selectors
from mailaccounts.models import Tally
from mailaccounts.views import describe
from mailaccounts.views.access import private, visible_account

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mailaccounts.views.access import Request

PER_PAGE = 50
OPENINGS = 50  # the newest


@private
@require_GET
def ledger(request: Request, pk: int) -> HttpResponse:
    """The account's tally in words, and the looks of others at its mail, newest first."""
    account = visible_account(request, pk)
    page = Paginator(selectors.looks_at(account), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "account": account,
        "tally": Tally.objects.filter(account=account).first() or Tally(account=account),
        "stored": describe.stored_messages(account),
        "set_aside": selectors.quarantined_of(account).count(),
        "older": account.folders.filter(missing_since=None).aggregate(older=Sum("older"))["older"] or 0,
        "page": page,
        "openings": selectors.openings_of(account)[:OPENINGS],
    }
    return render(request, "mailaccounts/ledger.html", context)
