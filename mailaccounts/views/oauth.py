"""Consent at an identity provider: what is asked for and why, the way there, the way back, what came of it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from mailaccounts import selectors
from mailaccounts.errors import ConsentExpired, MailAccountsError, SignedOut
from mailaccounts.forms.accounts import ConsentForm, SmtpForm
from mailaccounts.hooks import hooks
from mailaccounts.models import OutgoingState
from mailaccounts.services.connecting import consent_attempts
from mailaccounts.services.connecting.detect import smtp_of
from mailaccounts.services.connecting.identity import pinned
from mailaccounts.services.connecting.wish import Purpose, Wish
from mailaccounts.services.consents import consent
from mailaccounts.services.registering import clients
from mailaccounts.views import describe
from mailaccounts.views.access import careful, managed_account, private
from mailaccounts.views.way import switched_context

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mailaccounts.models import MailAccount, Outgoing
    from mailaccounts.views.access import Request

STARTED = "mailaccounts.consents"  # in the session: hash of a state → what was wished for (``_remembered``)
RESULT = "mailaccounts.result"  # in the session: what came of the last consent
STARTED_AT_ONCE = 5
SIGNED_OUT = "signed-out"  # in the result's query: the provider that somebody came back from


@careful
@require_http_methods(["GET", "POST"])
def allow_sending(request: Request, pk: int) -> HttpResponse:
    """For an account that only reads by consent: asks for leave to send as well."""
    account = managed_account(request, pk)
    current = describe.sign_in(account).current
    if account.smtp is not None or current is None or current.backend != consent.backend_slug():
        return redirect("mailaccounts:account", account.pk)
    known = smtp_of(account)
    form = None if known else SmtpForm(request.POST or None)
    context: dict[str, Any] = {"account": account, "smtp": known, "form": form}
    context["offers"] = consent.offers(account)[:1]
    if request.method == "POST" and (form is None or form.is_valid()):
        wish = Wish.of(account, Purpose.SEND).sending(through=form.endpoint() if form else known)
        try:
            return leave_for(request, wish, client=request.POST.get("offer", ""), account=account)
        except MailAccountsError as error:
            context["problem"] = describe.Problem.of(error)
    return render(request, "mailaccounts/allow_sending.html", context)


def consent_context(account: MailAccount) -> dict[str, Any]:
    """What a page shows of the consents an account can be signed in with, and of the choices there are."""
    return {
        "offers": consent.offers(account),
        "choice": ConsentForm(sends=account.smtp is not None),
        "may_send": smtp_of(account) is not None,
        "may_be_shared": pinned(account) is None,
    }


def leave_with(request: Request, account: MailAccount, purpose: Purpose) -> HttpResponse:
    """Leaves for the provider to sign ``account`` in, for reading only if that was chosen. MailAccountsError."""
    choice = ConsentForm(request.POST, sends=account.smtp is not None)
    wish = choice.applied_to(Wish.of(account, purpose), smtp=smtp_of(account))
    return leave_for(request, wish, client=request.POST.get("offer", ""), account=account)


def leave_for(request: Request, wish: Wish, *, client: str, account: MailAccount | None = None) -> HttpResponse:
    """Redirects to the provider and remembers in this browser's session that it was sent. MailAccountsError."""
    stays = account if wish.leaves is None else None
    offer = consent.pick(stays or wish.draft, client)
    redirect_uri = request.build_absolute_uri(reverse("mailaccounts:callback", args=[offer.client.provider]))
    url = consent.begin(wish, user=request.user, offer=offer, redirect_uri=redirect_uri, account=account)
    states = parse_qs(urlsplit(url).query).get("state", [""])
    remembered = {"account": account.pk if account else None, "wish": wish.as_json(), "client": client}
    started = {**request.session.get(STARTED, {}), _hashed(states[0]): remembered}
    request.session[STARTED] = dict(list(started.items())[-STARTED_AT_ONCE:])
    return redirect(url)


@never_cache
@require_GET
def callback(request: Request, provider: str) -> HttpResponse:
    """Completes a consent that this session started, then moves on at once: the code leaves the address bar.

    404 for somebody else's, as if nobody were awaited.
    """
    if request.user.is_authenticated:
        if consent_attempts.is_somebody_elses(request.GET.get("state", ""), user=request.user):
            raise Http404
        request.session[RESULT] = _complete(request, provider)
        response = redirect("mailaccounts:result")
    else:  # the result asks to sign in; the code goes nowhere
        response = redirect(f"{reverse('mailaccounts:result')}?{urlencode({SIGNED_OUT: provider})}")
    response["Referrer-Policy"] = "no-referrer"
    return response


@private
@require_http_methods(["GET", "POST"])
def result(request: Request) -> HttpResponse:
    """What came of the last consent of this session; POST starts the same one again."""
    if SIGNED_OUT in request.GET:
        provider = request.GET[SIGNED_OUT]
        error = SignedOut(provider=clients.label(provider) if provider in clients.PROVIDERS else "the provider")
        return render(request, "mailaccounts/result.html", {"problem": describe.Problem.of(error)})
    outcome = request.session.get(RESULT)
    if not outcome:
        return redirect("mailaccounts:accounts")
    account = selectors.accounts_for(request.user).filter(pk=outcome["account"]).first()
    if account is None and outcome["problem"] is None:
        return redirect("mailaccounts:accounts")
    if account is None and outcome["account"]:
        outcome["wish"] = None  # it is gone, or somebody else's by now
    context: dict[str, Any] = {**outcome, "account": account}
    if request.method == "POST" and outcome["wish"]:
        try:
            return hooks().reauthenticate(request) or _leave_again(request, outcome)
        except MailAccountsError as error:
            context["problem"] = describe.Problem.of(error)
    if account:
        context |= {"sign_in": describe.sign_in(account), "stored": describe.stored_messages(account)}
        context |= switched_context(account)
        context["drafts"] = _waiting(request, account, outcome["wish"])
    return render(request, "mailaccounts/result.html", context)


def _waiting(request: Request, account: MailAccount, wish: dict[str, Any] | None) -> list[Outgoing]:
    """Two at most of the drafts that permission to send was asked for because of."""
    if not wish or wish["purpose"] != Purpose.SEND or account.smtp is None:
        return []
    drafts = selectors.outgoing_for(request.user).filter(account=account, state=OutgoingState.DRAFT)
    return list(drafts.only("pk").order_by("-changed_at")[:2])


def _leave_again(request: Request, outcome: dict[str, Any]) -> HttpResponse:
    """The same consent once more; for a shared mailbox, or to only read, if that button was pressed."""
    account = managed_account(request, outcome["account"]) if outcome["account"] else None
    wish = Wish.from_json(outcome["wish"], owner=account.owner if account else request.user)
    wish = replace(wish, shared=wish.shared or "shared" in request.POST)
    if "read" in request.POST:
        wish = wish.sending(through=None)
    return leave_for(request, wish, client=outcome["client"], account=account)


def _complete(request: Request, provider: str) -> dict[str, Any]:
    """The outcome as the session keeps it: account, problem or None, and what was wished for with which client."""
    started = request.session.get(STARTED, {})
    remembered = started.pop(_hashed(request.GET.get("state", "")), None)
    request.session[STARTED] = started
    outcome = {"account": None, "wish": None, "client": "", **(remembered or {}), "problem": None}
    try:
        if remembered is None:
            raise ConsentExpired
        outcome["account"] = consent.complete(provider, request.GET.dict(), user=request.user).pk
    except MailAccountsError as error:
        outcome["problem"] = asdict(describe.Problem.of(error))
        outcome["only_sending"] = _is_about_sending(error, outcome["wish"])
    return outcome


def _is_about_sending(error: MailAccountsError, wish: dict[str, Any] | None) -> bool:
    """Whether the mailbox was opened, and it is the server for sending that didn't do its part."""
    hosts = [urlsplit(wish[protocol]).hostname for protocol in ("imap", "smtp")] if wish else []
    return len(set(hosts)) > 1 and str(error.facts.get("host", "")).lower() == hosts[1]


def _hashed(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()
