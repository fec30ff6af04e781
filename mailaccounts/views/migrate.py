"""From a password to OAuth: the wizard and how far it is, the way back, and the continuity certificate."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from mailaccounts.backends.registry import backends
from mailaccounts.conf import settings
from mailaccounts.errors import MailAccountsError, TooManyAttempts
from mailaccounts.models import AccountStatus
from mailaccounts.rules.migration_states import MigrationState
from mailaccounts.services.connecting.wish import Purpose, Wish
from mailaccounts.services.consents import consent
from mailaccounts.services.consents.offered import exchanger_of
from mailaccounts.services.limits.attempts import count_attempt
from mailaccounts.services.moving import migrate, rollback, steps
from mailaccounts.views import describe
from mailaccounts.views.access import careful, managed_account, private, visible_account
from mailaccounts.views.banner import banner
from mailaccounts.views.oauth import consent_context, leave_for, leave_with
from mailaccounts.views.way import last_switched, switched_context, way_of

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mailaccounts.models import MailAccount
    from mailaccounts.presets import ProviderPreset
    from mailaccounts.views.access import Request


@careful
@require_http_methods(["GET", "POST"])
def switch(request: Request, pk: int) -> HttpResponse:
    """Lists what will happen and each permission with its reason, then leaves for the provider; or says how far that
    is already, or that there is nothing to switch."""
    account = managed_account(request, pk)
    if account.status == AccountStatus.DISCONNECTED:
        return render(request, "mailaccounts/nothing_to_switch.html", {"account": account})
    elsewhere = exchanger_of(account)
    moved = elsewhere and _moved_to(elsewhere, account)
    current = describe.sign_in(account).current
    if current and current.backend == consent.backend_slug() and not (moved or way_of(account)):
        return render(request, "mailaccounts/nothing_to_switch.html", {"account": account, "current": current})
    context = {
        "account": account,
        "way": way_of(account),
        "banner": banner(account, current),
        "retire_days": settings.retire_days,
        "retire_syncs": settings.retire_syncs,
        **consent_context(account),
    }
    if moved:
        context |= {"elsewhere": elsewhere, "elsewhere_offers": consent.offers(moved.draft)}
    if request.method == "POST":
        try:
            if moved and "elsewhere" in request.POST:
                return leave_for(request, moved, client=request.POST["elsewhere"], account=account)
            return leave_with(request, account, Purpose.SWITCH)
        except MailAccountsError as error:
            context["problem"] = describe.Problem.of(error)
    return render(request, "mailaccounts/switch.html", context)


@private
@require_POST
def go_on(request: Request, pk: int) -> HttpResponse:
    """Tries at once what would be tried again later."""
    account = managed_account(request, pk)
    step = steps.under_way(account)
    if step is not None and step.state in migrate.BUSY:
        try:
            count_attempt(user_id=request.user.pk, host=account.imap_host)
            migrate.go_on(step, actor=request.user)
        except TooManyAttempts as error:
            messages.error(request, error.message)
        except MailAccountsError:
            return redirect("mailaccounts:switch", account.pk)  # which says what is wrong
        if step.state == MigrationState.SWITCHED:
            messages.success(request, f"{account.address} is switched to OAuth.")
    return redirect("mailaccounts:account", account.pk)


@private
@require_POST
def cancel(request: Request, pk: int) -> HttpResponse:
    """Gives up a switch that isn't done yet."""
    account = managed_account(request, pk)
    step = steps.under_way(account)
    if step is not None and steps.cancel(step):
        messages.success(request, f"{account.address} goes on as before; the permission is given back.")
    return redirect("mailaccounts:account", account.pk)


@careful
@require_http_methods(["GET", "POST"])
def go_back(request: Request, pk: int) -> HttpResponse:
    """Goes back to what the account signed in with before."""
    account = managed_account(request, pk)
    context: dict[str, Any] = {"account": account}
    if request.method == "POST":
        try:
            count_attempt(user_id=request.user.pk, host=account.imap_host)
            rollback.roll_back(account, actor=request.user)
        except MailAccountsError as error:
            context["problem"] = describe.Problem.of(error)
        else:
            messages.success(request, f"{account.address} signs in as it did before the switch.")
            return redirect("mailaccounts:account", account.pk)
    context |= {**switched_context(account), "sign_in": describe.sign_in(account)}
    return render(request, "mailaccounts/go_back.html", context)


@private
@require_GET
def certificate(request: Request, pk: int) -> HttpResponse:
    """What the first clean sync after the last switch found, to be read or printed; leads to an account's own page
    where nothing was switched."""
    account = visible_account(request, pk)
    step = last_switched(account)
    if step is None:
        return redirect("mailaccounts:account", account.pk)
    found = step.certificate
    context = {"account": account, "certificate": found, "step": step}
    if found:
        context |= {
            "before": _label(found["before"]),
            "after": _label(found["after"]),
            "moments": {name: _moment(found[name]) for name in ("switched_at", "compared_at", "verified_at")},
            "whole": found["compared_with"] != "nothing"
            and not any(found[name] for name in ("lost", "doubled", "fetched_again", "folders_left_out")),
        }
    return render(request, "mailaccounts/certificate.html", context)


@private
@require_GET
def certificate_json(request: Request, pk: int) -> HttpResponse:
    """The same to be kept by a program; the page until it is written."""
    account = visible_account(request, pk)
    step = last_switched(account)
    if step is None or step.certificate is None:
        return redirect("mailaccounts:certificate", account.pk)
    response = JsonResponse(step.certificate, json_dumps_params={"indent": 2, "ensure_ascii": False})
    response["Content-Disposition"] = f'attachment; filename="continuity-certificate-{account.pk}.json"'
    return response


def _moved_to(provider: ProviderPreset, account: MailAccount) -> Wish | None:
    """The wish to sign in at another provider, whose servers are known."""
    wish = Wish.of(account, Purpose.SWITCH)
    return wish.moving_to(provider.imap, provider.smtp) if provider.imap else None


def _label(backend: str) -> str:
    found = backends().get(backend)
    return found.label if found else backend or "Nothing"


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
