"""Gives an account other servers. They want its credential anew: what one was trusted with goes to no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from mailaccounts.errors import MailAccountsError
from mailaccounts.forms.accounts import ReconnectForm, ServersForm
from mailaccounts.services.connecting import connect
from mailaccounts.services.connecting.detect import provider_of
from mailaccounts.services.connecting.wish import Purpose, Wish
from mailaccounts.services.consents import consent
from mailaccounts.views import describe
from mailaccounts.views.access import careful, managed_account
from mailaccounts.views.oauth import leave_for
from mailaccounts.views.ways import asked_for, typed_ways

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mailaccounts.views.access import Request


@sensitive_post_parameters()
@careful
@require_http_methods(["GET", "POST"])
def servers(request: Request, pk: int) -> HttpResponse:
    """Proves the sign-in at the new servers, typed or consented to anew, then lets the account use them."""
    account = managed_account(request, pk)
    current = describe.sign_in(account).current  # never a variable with what was typed: reports print those
    chosen, backend = typed_ways(
        provider_of(account), asked=asked_for(request), usual=current.backend if current else ""
    )
    posted = request.POST if request.method == "POST" else None
    typed = posted if posted and "offer" not in posted else None
    name = current.username if current else account.address
    form = ServersForm(posted) if posted else ServersForm.showing(account)
    name_form = ReconnectForm(typed, initial={"username": name})
    secret_form = backend.form_class(typed)
    context: dict[str, Any] = {
        "account": account,
        "form": form,
        "name_form": name_form,
        "secret_form": secret_form,
        "ways": chosen,
        "current": current,
        "offers": consent.offers(account),
    }
    try:
        if posted and not typed and form.is_valid():
            imap, smtp = form.endpoints()
            wish = Wish.of(account, Purpose.SWITCH).moving_to(imap or account.imap, smtp)
            return leave_for(request, wish, client=posted["offer"], account=account)
        if typed and all([form.is_valid(), name_form.is_valid(), secret_form.is_valid()]):
            imap, smtp = form.endpoints()
            connect.reconnect(
                account,
                backend=backend.slug,
                username=name_form.cleaned_data["username"],
                secret=backend.accept(secret_form.cleaned_data),
                imap=imap,
                smtp=smtp,
                actor=request.user,
            )
            messages.success(request, f"{account.address} uses the new servers from now on.")
            return redirect("mailaccounts:account", account.pk)
    except MailAccountsError as error:
        context["problem"] = describe.Problem.of(error)
    return render(request, "mailaccounts/servers.html", context)
