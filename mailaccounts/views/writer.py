"""Settings → Email accounts → an account → writing: the name, the signature, further addresses to send from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.forms.models import model_to_dict
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from mailaccounts.errors import MailAccountsError
from mailaccounts.forms.writing import AliasForm, WriterForm
from mailaccounts.services.sending import writer as service
from mailaccounts.views.access import managed_account, private
from mailaccounts.views.describe import Problem

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mailaccounts.models import MailAccount
    from mailaccounts.views.access import Request


@private
@require_http_methods(["GET", "POST"])
def writer(request: Request, pk: int) -> HttpResponse:
    """What messages from the account carry."""
    account = managed_account(request, pk)
    form, problem = WriterForm(request.POST or None, initial=model_to_dict(account)), None
    if request.method == "POST" and form.is_valid():
        try:
            service.present(account, **form.cleaned_data)
            messages.success(request, "Saved: what you write from now on carries it.")
            return redirect("mailaccounts:writer", account.pk)
        except MailAccountsError as error:
            problem = Problem.of(error)
    return _show(request, account, form, AliasForm(), problem)


@private
@require_POST
def add_alias(request: Request, pk: int) -> HttpResponse:
    """Mails a link to another address, to see that its mail comes to the same person."""
    account = managed_account(request, pk)
    form, problem = AliasForm(request.POST), None
    if form.is_valid():
        try:
            service.add_alias(account, form.cleaned_data["address"], link=lambda token: _link(request, token))
            messages.success(request, f"A link is on its way to {form.cleaned_data['address']}: open it there.")
            return redirect("mailaccounts:writer", account.pk)
        except MailAccountsError as error:
            problem = Problem.of(error)
    return _show(request, account, WriterForm(initial=model_to_dict(account)), form, problem)


@private
@require_POST
def remove_alias(request: Request, pk: int, alias: int) -> HttpResponse:
    """Nothing more is sent from that address."""
    account = managed_account(request, pk)
    service.remove_alias(account, alias)
    messages.success(request, "Nothing more is sent from that address.")
    return redirect("mailaccounts:writer", account.pk)


@private
@require_http_methods(["GET", "POST"])
def prove_alias(request: Request, token: str) -> HttpResponse:
    """Where the mailed link leads: a button proves the address. 404 for somebody else's."""
    try:
        alias = service.meant_by(token, user=request.user)
    except MailAccountsError as error:
        messages.error(request, error.message)
        return redirect("mailaccounts:accounts")
    if alias is None:
        raise Http404
    if request.method != "POST":
        return render(request, "mailaccounts/prove_alias.html", {"alias": alias})
    service.prove(alias)
    messages.success(request, f"You can send from {alias.address} now.")
    return redirect("mailaccounts:writer", alias.account_id)


def _show(
    request: Request, account: MailAccount, form: WriterForm, alias_form: AliasForm, problem: Problem | None
) -> HttpResponse:
    context = {"account": account, "form": form, "alias_form": alias_form, "problem": problem}
    return render(request, "mailaccounts/writer.html", {**context, "aliases": account.aliases.all()})


def _link(request: Request, token: str) -> str:
    return request.build_absolute_uri(reverse("mailaccounts:prove_alias", args=[token]))
