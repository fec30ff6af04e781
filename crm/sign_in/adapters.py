"""What allauth leaves to its host: who may come in, and how people show again that it is them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse, ReauthenticationRequired
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.base.constants import AuthProcess
from django.conf import settings
from django.shortcuts import render
from django.urls import reverse

from crm.sign_in.again import confirmed_by, ways_to_confirm
from crm.sign_in.identities import identities_of, owner_by_email
from crm.sign_in.identity_provider import CONFIRM
from crm.sign_in.providers import offered
from mailaccounts.services.registering import clients

if TYPE_CHECKING:
    from allauth.socialaccount.models import SocialAccount, SocialLogin
    from django.db.models import QuerySet
    from django.http import HttpRequest

WAYS = {
    "reauthenticate": "Use your password",
    "mfa_reauthenticate": "Use a code of your app, or a recovery code",
    "mfa_reauthenticate:webauthn": "Use a passkey",
    "identity": "Sign in once more with a linked account",
}


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # the package has no types
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Contacts and mail are behind the sign-in, so nobody registers themselves unless SIGNUP_OPEN says so."""
        return bool(settings.SIGNUP_OPEN)

    def is_reauthentication_required(self, *, app: str, **_: Any) -> bool:
        """The rule of our own pages goes for allauth's as well.

        allauth's would be five minutes, and would let everybody pass who has neither a password nor a second step.
        """
        if ways_to_confirm(self.request):
            raise ReauthenticationRequired
        return False

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """The ways to show again who one is, each named in our words; the first is the one that is offered first."""
        ways: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        if user.is_authenticated and any(identity.usable for identity in identities_of(user)):
            ways.append({"id": "identity", "url": reverse("confirm_with_identity")})
        return [{**way, "description": WAYS[way["id"]]} for way in ways]

    def login(self, request: HttpRequest, user: Any) -> None:
        """Lets nobody in who was deactivated while they were busy with the second step."""
        if not user.is_active:
            raise ImmediateHttpResponse(self.respond_user_inactive(request, user))
        super().login(request, user)


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # the package has no types
    error_messages = {
        **DefaultSocialAccountAdapter.error_messages,
        "no_password": "You couldn't sign in any more. Set a password first, or link another account.",
    }

    def list_apps(self, request: HttpRequest, provider: str | None = None, client_id: str | None = None) -> list[Any]:
        """The registrations that the settings name, and none from the database: there a secret would lie in clear.

        A provider that is asked for by name is found though it isn't offered (any more): identities are linked to it.
        """
        named = provider is not None and provider != "openid_connect"
        wanted = [slug for slug in settings.IDENTITY_PROVIDERS if slug == provider] if named else offered()
        return [
            SocialApp(provider="openid_connect", provider_id=slug, name=clients.label(slug), client_id=slug)
            for slug in wanted
        ]

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Decides whose the identity is; confirming ends here."""
        process = sociallogin.state["process"]
        if process == CONFIRM:
            raise ImmediateHttpResponse(confirmed_by(request, sociallogin))
        if process == AuthProcess.LOGIN and not sociallogin.is_existing:
            sociallogin.user = owner_by_email(sociallogin) or sociallogin.user

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Somebody nobody knows becomes a user only with SIGNUP_OPEN; else a page says what to do."""
        if not settings.SIGNUP_OPEN:
            context = {"label": sociallogin.provider.name, "address": sociallogin.account.extra_data["address"]}
            raise ImmediateHttpResponse(render(request, "sign_in/not_linked.html", context, status=403))
        return True

    def validate_disconnect(self, account: SocialAccount, accounts: QuerySet[SocialAccount]) -> None:
        """Keeps people from unlinking what they sign in with at last: a provider that isn't offered lets nobody in."""
        others = accounts.exclude(pk=account.pk).filter(provider__in=offered())
        if not account.user.has_usable_password() and not others.exists():
            raise self.validation_error("no_password")
