"""Settings → Email accounts → an account → messages that couldn't be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.paginator import Paginator
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from mailaccounts import selectors
from mailaccounts.services.syncing.quarantine import release
from mailaccounts.views.access import key_in, managed_account, private, visible_account

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mailaccounts.models import MailAccount
    from mailaccounts.views.access import Request

PER_PAGE = 50


@private
@require_http_methods(["GET", "POST"])
def quarantine(request: Request, pk: int) -> HttpResponse:
    """What is set aside of an account's mail, and why. POST tries again: one message (``one``, its id), or all."""
    if request.method == "POST":
        return _try_again(request, managed_account(request, pk))
    account = visible_account(request, pk)
    found = selectors.quarantined_of(account).select_related("folder", "message").order_by("-created_at", "-pk")
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "mailaccounts/quarantine.html", {"account": account, "page": page})


def _try_again(request: Request, account: MailAccount) -> HttpResponse:
    waiting = selectors.quarantined_of(account)
    if one := request.POST.get("one", ""):
        waiting = waiting.filter(pk=key_in(one) or 0)
    if release(waiting):
        messages.success(request, "They are tried again with the sync that has just been queued.")
    else:
        messages.info(request, "There is nothing left to try again: it has come in meanwhile, or is gone.")
    return redirect("mailaccounts:account", account.pk)
