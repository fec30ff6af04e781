"""Settings → Security, and the way to identity providers and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.account.utils import get_next_redirect_url
from allauth.mfa.models import Authenticator
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.helpers import complete_social_login
from allauth.socialaccount.providers.base.constants import AuthProcess
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from crm.sign_in import mailboxes
from crm.sign_in.again import ask_again
from crm.sign_in.identities import identities_of
from crm.sign_in.identity_provider import CONFIRM, PROMPTS
from crm.sign_in.providers import provider_or_404
from mailaccounts.errors import MailAccountsError, ProviderUnavailable, Remedy, SignInExpired

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from crm.sign_in.identities import Identity

HELP_IS_ELSEWHERE = (Remedy.OPERATOR, Remedy.ASK_ADMIN, Remedy.WAIT)


@login_required
@never_cache
@require_GET
def security(request: HttpRequest) -> HttpResponse:
    """By what means the user signs in, each with the way to change it."""
    kinds: dict[str, list[Authenticator]] = {kind: [] for kind in Authenticator.Type}
    for authenticator in Authenticator.objects.filter(user=request.user).order_by("created_at"):
        kinds[authenticator.type].append(authenticator)
    codes = [each.wrap() for each in kinds[Authenticator.Type.RECOVERY_CODES]]
    context = {
        "totp": next(iter(kinds[Authenticator.Type.TOTP]), None),
        "passkeys": [each.wrap() for each in kinds[Authenticator.Type.WEBAUTHN]],
        "codes_left": len(codes[0].get_unused_codes()) if codes else None,
        "identities": identities_of(request.user),
        "offered": get_adapter().list_providers(request),
    }
    return render(request, "sign_in/security.html", context)


@never_cache
@require_http_methods(["GET", "POST"])
def leave(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Leaves for an identity provider: to sign in, to link an identity, to confirm who one is (``process``).

    Only a form does (POST, with Django's token): a link could sign somebody in, or link something, without their will.
    """
    provider = provider_or_404(request, provider_id)
    asked = request.POST.get("process") or request.GET.get("process", AuthProcess.LOGIN)
    process = asked if asked in PROMPTS else AuthProcess.LOGIN
    if process != AuthProcess.LOGIN and not request.user.is_authenticated:
        return redirect("account_login")
    if process == AuthProcess.CONNECT and (again := ask_again(request)):
        return again
    next_url = get_next_redirect_url(request)
    if request.method == "GET":
        return render(
            request, "socialaccount/login.html", {"provider": provider, "process": process, "next": next_url or ""}
        )
    hint = next((each.address for each in _own(request, provider_id)), "") if process == CONFIRM else ""
    try:
        response: HttpResponse = provider.redirect(request, process, next_url, login_hint=hint)
    except MailAccountsError as error:
        return _failed(request, error, process=process)
    return response


@never_cache
@require_GET
def come_back(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Takes the provider's answer: to an attempt of this browser session, within ten minutes, once."""
    provider = provider_or_404(request, provider_id)
    process = AuthProcess.LOGIN
    try:
        state = provider.unstash_redirect_state(request, request.GET.get("state", ""))
        process = state["process"]
        login = provider.login_from(request, state)
    except PermissionDenied:
        return _failed(request, SignInExpired(), process=process)
    except MailAccountsError as error:
        return _failed(request, error, process=process)
    response: HttpResponse = complete_social_login(request, login)
    return response


@login_required
@require_POST
def decline_mailbox(request: HttpRequest) -> HttpResponse:
    """The user doesn't want to be asked again to connect this mailbox."""
    mailboxes.decline(request.user, request.POST.get("address", ""))
    return redirect(get_next_redirect_url(request) or "contacts")


@login_required
@never_cache
@require_GET
def confirm_with_identity(request: HttpRequest) -> HttpResponse:
    """Offers the linked identities to confirm with, and the other ways."""
    here, next_url = reverse("confirm_with_identity"), get_next_redirect_url(request) or ""
    others = [way for way in get_account_adapter().get_reauthentication_methods(request.user) if way["url"] != here]
    context = {
        "identities": [identity for identity in identities_of(request.user) if identity.usable],
        "next": next_url,
        "reauthentication_alternatives": [
            {**way, "url": f"{way['url']}?{urlencode({'next': next_url})}" if next_url else way["url"]}
            for way in others
        ],
    }
    return render(request, "sign_in/confirm_with_identity.html", context)


def _own(request: HttpRequest, provider: str) -> list[Identity]:
    return [identity for identity in identities_of(request.user) if identity.provider == provider]


def _failed(request: HttpRequest, error: MailAccountsError, *, process: str) -> HttpResponse:
    """Says what went wrong in our words, and where to go from here."""
    context = {
        "sentence": error.sentence.format_map(error.facts),
        "next_step": error.next_step.format_map(error.facts) if error.remedy in HELP_IS_ELSEWHERE else "",
        "code": error.code,
        "process": process,
    }
    status = 503 if isinstance(error, ProviderUnavailable) else 403
    return render(request, "socialaccount/authentication_error.html", context, status=status)
