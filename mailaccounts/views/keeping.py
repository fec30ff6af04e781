"""Settings → Email accounts → an account → keeping: for how long its mail is kept, and whether it looks back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms
from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from mailaccounts.services.syncing import retention
from mailaccounts.views.access import managed_account, private

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mailaccounts.views.access import Request

MOST_DAYS = 32_767  # what the column holds


class KeepForm(forms.Form):
    """``days`` empty: for good."""

    days = forms.IntegerField(
        label=_("Keep mail for so many days"),
        required=False,
        min_value=1,
        max_value=MOST_DAYS,
        help_text=_("Older mail is erased here, not on the server, and not brought in. Empty: mail is kept for good."),
    )
    looks_back = forms.BooleanField(label=_("Look for earlier mail with people who are added later"), required=False)


@private
@require_http_methods(["GET", "POST"])
def keeping(request: Request, pk: int) -> HttpResponse:
    """Says how much would be erased before anything is; ``confirmed`` does it."""
    account = managed_account(request, pk)
    kept = {"days": account.keep_days, "looks_back": account.looks_back}
    form = KeepForm(request.POST if request.method == "POST" else None, initial=kept)
    context = {"account": account, "form": form}
    if form.is_bound and form.is_valid():
        days = form.cleaned_data["days"]
        superfluous = retention.older(account, days=days) if days else 0
        if superfluous and "confirmed" not in request.POST:
            context |= {"superfluous": superfluous, "days": days}
        else:
            retention.keep(account, days=days, looks_back=form.cleaned_data["looks_back"], actor=request.user)
            messages.success(request, f"Mail is kept for {days} days." if days else "Mail is kept for good.")
            return redirect("mailaccounts:account", account.pk)
    return render(request, "mailaccounts/keeping.html", context)
