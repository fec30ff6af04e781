"""Signing in at an identity provider: allauth keeps the attempt and the links, mailaccounts asks and judges."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from django.conf import settings
from django.http import HttpResponseRedirect

from mailaccounts.services.consents import sign_in

if TYPE_CHECKING:
    from allauth.socialaccount.models import SocialLogin
    from django.http import HttpRequest

CONFIRM = "confirm"
"""A process beside allauth's own: somebody who is signed in shows again who they are."""

PROMPTS = {AuthProcess.LOGIN: "", AuthProcess.CONNECT: "select_account", CONFIRM: sign_in.AGAIN}


class IdentityProvider(OpenIDConnectProvider):  # type: ignore[misc]  # the package has no types
    """allauth's provider, held to what a mailbox's is held to.

    allauth's own would take an ID token without its signature, without a nonce and from whatever issuer the discovery
    document names, keep all its claims, and let the page that starts it ask for further scopes.
    """

    def redirect(self, request: HttpRequest, process: str, next_url: str | None = None, **more: Any) -> Any:
        """Leaves for the provider. MailAccountsError when it can't be asked."""
        asked = sign_in.SignInRequest(
            redirect_uri=request.build_absolute_uri(self.get_callback_url()),
            prompt=PROMPTS[process],
            login_hint=more.get("login_hint", ""),
        )
        authorization = sign_in.begin(self.sub_id, asked)
        self.stash_redirect_state(
            request, process, next_url, state_id=authorization.state, flow=dict(authorization.flow)
        )
        return HttpResponseRedirect(authorization.url)

    def login_from(self, request: HttpRequest, state: dict[str, Any]) -> SocialLogin:
        """Who came back to the callback, for allauth. MailAccountsError when that isn't sure."""
        person = sign_in.complete(self.sub_id, state["flow"], request.GET.dict())
        login = self.sociallogin_from_response(request, person)
        login.state = {name: value for name, value in state.items() if name != "flow"}
        return login

    def extract_uid(self, data: sign_in.Person) -> str:
        return data.key

    def extract_extra_data(self, data: sign_in.Person) -> dict[str, Any]:
        kept = asdict(data)
        del kept["key"]
        return kept

    def extract_common_fields(self, data: sign_in.Person) -> dict[str, Any]:
        return {"email": data.email, "username": data.address, "name": data.name}

    def extract_email_addresses(self, data: sign_in.Person) -> list[EmailAddress]:
        """What is said of an address counts only where the operator takes the provider's word for it."""
        trusted = data.proven and self.sub_id in settings.SIGN_IN_BY_EMAIL
        return [EmailAddress(email=data.email, verified=trusted, primary=True)] if data.email else []

    def serialize(self) -> dict[str, Any]:
        """allauth would find a provider again by its client id, which two may share."""
        return {"id": self.sub_id}
