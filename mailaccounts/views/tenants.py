"""An organisation's administrator comes back from the provider: from its sign-in first, then from its consent."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from mailaccounts import selectors
from mailaccounts.errors import ConsentExpired, MailAccountsError
from mailaccounts.models import OAuthClient
from mailaccounts.services.consents import admin_consent
from mailaccounts.views.access import careful, private

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from mailaccounts.views.access import Request

STARTED = "mailaccounts.admin_consents"  # in the session: hashes of the states that this browser left with
AT_ONCE = 5
BACK = "admin:mailaccounts_tenantaccess_add"


@careful
@require_http_methods(["GET", "POST"])
def begin(request: Request) -> HttpResponse:
    """POST ``client``, a registration's id: leaves for the administrator's sign-in."""
    _insist_on_leave(request)
    if request.method != "POST":
        return redirect(BACK)
    try:
        client = get_object_or_404(OAuthClient, pk=request.POST.get("client"))
    except ValidationError:  # no key at all
        raise Http404 from None
    redirect_uri = request.build_absolute_uri(reverse("mailaccounts:admin_consent", args=[client.provider]))
    try:
        return _leave(request, admin_consent.begin(client, user=request.user, redirect_uri=redirect_uri))
    except MailAccountsError as error:
        return _say(request, error)


@private
@require_GET
def answered(request: Request, provider: str) -> HttpResponse:
    """Goes on with what this browser left for: from the sign-in to the consent, from the consent to the organisation's
    page. Nothing of the answer stays in the address bar."""
    _insist_on_leave(request)
    try:
        _insist_on_own(request)
        outcome = admin_consent.answer(request.GET.dict(), provider=provider, user=request.user)
    except MailAccountsError as error:
        response = _say(request, error)
    else:
        if isinstance(outcome, str):
            response = _leave(request, outcome)
        else:
            messages.success(request, f"{outcome.tenant} lets this installation in.")
            response = redirect("admin:mailaccounts_tenantaccess_change", outcome.pk)
    response["Referrer-Policy"] = "no-referrer"
    return response


def _leave(request: HttpRequest, url: str) -> HttpResponse:
    """Redirects to the provider and remembers that this browser was sent there."""
    states = parse_qs(urlsplit(url).query).get("state", [""])
    request.session[STARTED] = [*request.session.get(STARTED, []), _hashed(states[0])][-AT_ONCE:]
    return redirect(url)


def _say(request: HttpRequest, error: MailAccountsError) -> HttpResponse:
    messages.error(request, error.message, extra_tags=error.code)
    return redirect(BACK)


def _insist_on_leave(request: HttpRequest) -> None:
    """For staff who may let organisations in."""
    if not selectors.is_staff_with(request.user, "mailaccounts.add_tenantaccess"):
        raise PermissionDenied


def _insist_on_own(request: HttpRequest) -> None:
    """ConsentExpired for an answer to what another browser left for."""
    started, state = request.session.get(STARTED, []), _hashed(request.GET.get("state", ""))
    if state not in started:
        raise ConsentExpired
    request.session[STARTED] = [each for each in started if each != state]


def _hashed(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()
