"""Settings → Email accounts → an account → ledger: what was done with its mail, who opened it and who looked
at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.paginator import Paginator
from django.db.models import Sum
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from mailaccounts import selectors
from mailaccounts.models import Tally
from mailaccounts.views import describe
from mailaccounts.views.access import private

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mailaccounts.views.access import Request

PER_PAGE = 50
OPENINGS = 50  # the newest


@private
@require_GET
def ledger(request: Request, pk: int) -> HttpResponse:
    """The account's tally in words, and the looks of others at its mail, newest first. Of one that was handed over
    only those, since it was."""
    account = get_object_or_404(selectors.overseen_by(request.user), pk=pk)
    page = Paginator(selectors.looks_at(account), PER_PAGE).get_page(request.GET.get("page"))
    context: dict[str, object] = {
        "account": account,
        "page": page,
        "openings": selectors.openings_of(account)[:OPENINGS],
    }
    if account.handed_over_at:
        return render(request, "mailaccounts/ledger_handed_over.html", context)
    context |= {
        "tally": Tally.objects.filter(account=account).first() or Tally(account=account),
        "stored": describe.stored_messages(account),
        "set_aside": selectors.quarantined_of(account).count(),
        "older": account.folders.filter(missing_since=None).aggregate(older=Sum("older"))["older"] or 0,
    }
    return render(request, "mailaccounts/ledger.html", context)
