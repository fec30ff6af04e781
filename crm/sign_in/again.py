"""When people have to show again that it is them, before something that a passer-by must not do."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.login import record_authentication
from allauth.account.internal.flows.reauthentication import STATE_SESSION_KEY as SUSPENDED
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

if TYPE_CHECKING:
    from collections.abc import Callable

    from allauth.socialaccount.models import SocialLogin
    from django.http import HttpRequest, HttpResponse

    View = Callable[..., HttpResponse]


def ways_to_confirm(request: HttpRequest) -> list[dict[str, Any]]:
    """The pages on which the user can show once more who they are, as allauth describes them.

    Nothing when that was shown within REAUTHENTICATE_AFTER seconds, by whatever means, and for somebody who has
    nothing to show.
    """
    since = timezone.now().timestamp() - settings.REAUTHENTICATE_AFTER
    recent = any(record["at"] >= since for record in get_authentication_records(request, request.user))
    if recent or not settings.REAUTHENTICATE_AFTER:
        return []
    ways: list[dict[str, Any]] = get_adapter().get_reauthentication_methods(request.user)
    return ways


def ask_again(request: HttpRequest) -> HttpResponse | None:
    """Leads to a page that wants the password, a code, a passkey or the identity provider's word; then back.

    None when there is nothing to ask. What a form held is not kept meanwhile: it may be a password.
    """
    ways = ways_to_confirm(request)
    if not ways:
        return None
    if request.method == "POST":
        messages.info(request, "Confirm that it is you, then fill in the form once more.")
    return HttpResponseRedirect(f"{ways[0]['url']}?{urlencode({'next': request.get_full_path()})}")


def careful(view: View) -> View:
    """For signed-in people who showed lately who they are."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return ask_again(request) or view(request, *args, **kwargs)

    return login_required(wrapped)


def confirmed_by(request: HttpRequest, login: SocialLogin) -> HttpResponse:
    """Goes on to where the user was going, if the identity that just signed in is one of theirs."""
    if not request.user.is_authenticated or login.user != request.user:
        context = {"label": login.provider.name, "address": login.account.extra_data["address"]}
        return render(request, "sign_in/somebody_else.html", context, status=403)
    record_authentication(
        request, request.user, "socialaccount", provider=login.account.provider, reauthenticated=True
    )
    request.session.pop(SUSPENDED, None)  # a form that allauth kept: whoever sent it sees it again first
    return HttpResponseRedirect(login.get_redirect_url(request) or reverse("security"))
