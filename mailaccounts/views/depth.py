"""Settings → Email accounts → an account → older mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from mailaccounts.forms.depth import DepthForm
from mailaccounts.services.syncing.depth import reach_back
from mailaccounts.views.access import managed_account, private

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mailaccounts.views.access import Request


@private
@require_http_methods(["GET", "POST"])
def older_mail(request: Request, pk: int) -> HttpResponse:
    """Asks how far back the account's mail is wanted."""
    account = managed_account(request, pk)
    if not account.begun:
        return redirect("mailaccounts:begin", account.pk)
    form = DepthForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        since = None if form.cleaned_data["everything"] else form.cleaned_data["since"]
        if reach_back(account, since):
            messages.success(request, "Older mail is on its way, the newest of it first.")
        else:
            messages.info(request, "Nothing to do: mail of that time is brought in already.")
        return redirect("mailaccounts:account", account.pk)
    return render(request, "mailaccounts/older_mail.html", {"account": account, "form": form})
