"""Connecting a mailbox, and reconnecting one: with something typed, or at its provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from mailaccounts import selectors
from mailaccounts.errors import AlreadyConnected, AuthenticationRejected, MailAccountsError, Remedy, UnknownHosts
from mailaccounts.forms.accounts import ConnectForm, ConsentForm, ReconnectForm
from mailaccounts.models import AccountStatus
from mailaccounts.services.connecting import connect as connecting
from mailaccounts.services.connecting.detect import How, detect, hosts, provider_of, told
from mailaccounts.services.connecting.wish import Purpose, Wish
from mailaccounts.services.consents import consent
from mailaccounts.views import describe
from mailaccounts.views.access import careful, managed_account
from mailaccounts.views.oauth import consent_context, leave_for, leave_with
from mailaccounts.views.ways import asked_for, is_typed, typed_ways, was_typed, ways

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mailaccounts.models import MailAccount
    from mailaccounts.services.connecting.account_draft import AccountDraft
    from mailaccounts.views.access import Request

Context = dict[str, Any]


@sensitive_post_parameters()
@careful
@require_http_methods(["GET", "POST"])
def connect(request: Request) -> HttpResponse:
    """Asks for the address, then shows how its mailbox can be signed in with, the best way first, and goes that way.

    Nothing is saved before it is proven. Servers that had to be looked for are shown before a credential goes there:
    what was typed is asked for again (RFC 6186 §6), and no page holds it.
    """
    asked = asked_for(request)
    form = ConnectForm(request.POST or None, initial={"address": request.GET.get("address", "")})
    context: Context = {"form": form, "asked": asked}
    if is_typed(asked):
        context["ways"], backend = typed_ways(None, asked=asked)
        context["secret_form"] = backend.form_class(request.POST if was_typed(backend, request.POST) else None)
    if request.method == "POST" and form.is_valid():
        try:
            if done := _go_on(request, form, context):
                return done
        except AlreadyConnected as error:
            existing = _existing(request, form)
            if existing and existing.status == AccountStatus.DISCONNECTED:
                messages.info(request, f"{existing.address} was connected before, and its history is still here.")
                return redirect("mailaccounts:reconnect", existing.pk)
            context |= {"problem": describe.Problem.of(error), "existing": existing, "found": None}
        except UnknownHosts as error:
            context |= {"problem": describe.Problem.of(error), "open_servers": True, "hosts": hosts()}
        except MailAccountsError as error:
            context["problem"] = describe.Problem.of(error)
            context["open_servers"] = error.remedy is Remedy.FIX_HOST
            context["provider"] = context.get("preset") if isinstance(error, AuthenticationRejected) else None
    form = context["form"]  # which holds what was found by now
    context["open_servers"] = context.get("open_servers") or form.has_server_errors
    context["open_options"] = context.get("open_options") or bool({"username", "since"} & set(form.errors))
    return render(request, "mailaccounts/connect.html", context)


def _go_on(request: Request, form: ConnectForm, context: Context) -> HttpResponse | None:
    """As far as it gets with what was entered; None to show the page with what is in ``context`` by then."""
    draft = _look(request, form, context)
    context["form"].settle()
    context["preset"] = preset = provider_of(draft)
    context["ways"] = chosen = ways(preset, consent.offers(draft), asked=context["asked"])
    looked_up = "open_servers" in context
    if chosen.typed:
        typed = was_typed(chosen.typed, request.POST) and not looked_up
        context["secret_form"] = chosen.typed.form_class(request.POST if typed else None)
    context["choice"] = choice = ConsentForm(request.POST if "offer" in request.POST else None)
    context |= {"may_send": draft.smtp is not None, "may_be_shared": True}
    if looked_up:
        return None
    if "offer" in request.POST:
        wish = choice.applied_to(Wish(purpose=Purpose.CONNECT, draft=draft), smtp=draft.smtp)
        return leave_for(request, wish, client=request.POST["offer"])
    if chosen.typed and context["secret_form"].is_valid():
        secret = chosen.typed.accept(context["secret_form"].cleaned_data)
        account = connecting.connect(draft, backend=chosen.typed.slug, secret=secret, actor=request.user)
        if account.begun:
            messages.success(request, f"{account.address} is connected. Mail is brought in, the newest first.")
            return redirect("mailaccounts:account", account.pk)
        messages.success(request, f"{account.address} is connected. Nothing of it is read yet.")
        return redirect("mailaccounts:begin", account.pk)
    return None


def _look(request: Request, form: ConnectForm, context: Context) -> AccountDraft:
    """The mailbox with its servers; those that had to be looked for are put into the form, and opened to view.

    UnknownHosts when there are none.
    """
    address = form.cleaned_data["address"]
    if not form.names_servers:
        host = request.POST.get("host", "")
        found = told(address, host) if host else detect(address, user_id=request.user.pk)
        if found.how is How.NONE:
            raise UnknownHosts(domain=address.rpartition("@")[2])
        context["found"] = describe.found(found, address=address)
        if found.how is not How.PRESET:
            context["form"] = form = form.filled_with(found)
            form.full_clean()
            context |= {"open_servers": True, "open_options": bool(form.data.get("username"))}
    return connecting.checked(form.draft(owner=request.user))


def _existing(request: Request, form: ConnectForm) -> MailAccount | None:
    """The user's account of this address: disconnected, it only has to be reconnected."""
    mine = selectors.accounts_for(request.user)
    found = mine.filter(address__iexact=form.cleaned_data["address"]).first()
    return None if found is None or found.is_erasing else found


@sensitive_post_parameters()
@careful
@require_http_methods(["GET", "POST"])
def reconnect(request: Request, pk: int) -> HttpResponse:
    """Signs the same account in again: with something typed, or at its provider."""
    account = managed_account(request, pk)
    typed = request.method == "POST" and "offer" not in request.POST
    current = describe.sign_in(account).current  # never a variable with what was typed: reports print those
    preset = provider_of(account)
    chosen, backend = typed_ways(preset, asked=asked_for(request), usual=current.backend if current else "")
    form = ReconnectForm(
        request.POST if typed else None, initial={"username": current.username if current else account.address}
    )
    secret_form = backend.form_class(request.POST if typed else None)
    context: Context = {"account": account, "preset": preset, "form": form, "secret_form": secret_form, "ways": chosen}
    context |= consent_context(account)
    try:
        if "offer" in request.POST:
            return leave_with(request, account, Purpose.RECONNECT)
        if typed and all([form.is_valid(), secret_form.is_valid()]):
            connecting.reconnect(
                account,
                backend=backend.slug,
                username=form.cleaned_data["username"],
                secret=backend.accept(secret_form.cleaned_data),
                actor=request.user,
            )
            messages.success(request, f"{account.address} is connected again.")
            return redirect("mailaccounts:account", account.pk)
    except MailAccountsError as error:
        context["problem"] = describe.Problem.of(error)
    return render(request, "mailaccounts/reconnect.html", context)
