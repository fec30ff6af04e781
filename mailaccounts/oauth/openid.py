"""OpenID Connect's authorization code flow, through Authlib: the only module that knows it."""

from __future__ import annotations

from base64 import b64encode
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.client import OAuth2Client
from requests.auth import AuthBase

from mailaccounts.errors import ClientMisconfigured, ProviderUnavailable
from mailaccounts.oauth.base import BaseProvider
from mailaccounts.oauth.discovery import discover, metadata_url
from mailaccounts.oauth.guard import guarded
from mailaccounts.oauth.refusals import refusal
from mailaccounts.oauth.scopes import OPENID
from mailaccounts.oauth.transport import wait_of
from mailaccounts.oauth.types import Authorization

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import PreparedRequest

    from mailaccounts.oauth.discovery import Metadata
    from mailaccounts.oauth.transport import Answer
    from mailaccounts.oauth.types import ConsentRequest, Flow


class OpenIdProvider(BaseProvider):
    """A provider known by its issuer. ``also_asked`` are parameters of the authorization request beyond the
    standard's."""

    prompt = "select_account"
    also_asked: Mapping[str, str] = {}

    @guarded
    def begin(self, request: ConsentRequest) -> Authorization:
        metadata = self._metadata()
        asked = list(dict.fromkeys((OPENID.name, *request.scopes)))
        state, nonce, verifier = token_urlsafe(32), token_urlsafe(32), token_urlsafe(64)
        url, _ = self._client(metadata).create_authorization_url(
            metadata.authorization_endpoint,
            redirect_uri=request.redirect_uri,
            scope=" ".join(asked),
            state=state,
            nonce=nonce,
            code_verifier=verifier,
            prompt=self.prompt if metadata.prompts is None or set(self.prompt.split()) <= metadata.prompts else None,
            login_hint=request.login_hint or None,
            claims=request.claims or None,
            **self.also_asked,
        )
        flow = {
            "state": state,
            "nonce": nonce,
            "code_verifier": verifier,
            "redirect_uri": request.redirect_uri,
            "asked": asked,
        }
        return Authorization(url=url, state=state, flow=flow)

    def _metadata(self) -> Metadata:
        if not self._authority.startswith("https://"):
            raise ClientMisconfigured(provider=self.label)
        return discover(
            self._transport, metadata_url(self._authority), label=self.label, issuer=self._authority
        )  # to the letter: OWASP ASVS 10.5.3

    def _redeem(self, flow: Flow, params: Mapping[str, str]) -> Mapping[str, Any]:
        metadata = self._metadata()
        answer: Mapping[str, Any] = self._client(metadata).fetch_token(
            metadata.token_endpoint,
            grant_type="authorization_code",
            code=params["code"],
            redirect_uri=flow["redirect_uri"],
            code_verifier=flow["code_verifier"],
        )
        return answer

    def _renew(self, refresh_token: str, scopes: list[str]) -> Mapping[str, Any]:
        """Names no scopes: the standard then means those granted, and some providers refuse a list in other words."""
        metadata = self._metadata()
        answer: Mapping[str, Any] = self._client(metadata).refresh_token(
            metadata.token_endpoint, refresh_token=refresh_token
        )
        return answer

    def _give_back(self, endpoint: str, refresh_token: str) -> Answer:
        answer: Answer = self._client(self._metadata()).revoke_token(
            endpoint,
            token=refresh_token,
            token_type_hint="refresh_token",  # noqa: S106 - that is its kind
        )
        return answer

    def _client(self, metadata: Metadata) -> OAuth2Client:
        """Authlib's side of one conversation, over our transport."""
        if self._registration.proof != "secret":
            raise ClientMisconfigured(provider=self.label)
        method = "client_secret_post" if "client_secret_post" in metadata.client_auth else "client_secret_basic"
        client = _Client(
            self._transport,
            client_id=self._registration.client_id,
            client_secret=self._registration.client_secret,
            token_endpoint_auth_method=method,
            revocation_endpoint_auth_method=method,
            code_challenge_method="S256",
        )
        client.register_client_auth_method(("client_secret_basic", _basic))
        for hook in ("access_token_response", "refresh_token_response"):
            client.register_compliance_hook(hook, self._accepted)
        return client

    def _accepted(self, answer: Answer) -> Answer:
        """Lets an answer through that holds tokens: Authlib would drop most of what a refusal says."""
        content = answer.json() if answer.text else None
        if not isinstance(content, dict):
            raise ProviderUnavailable(provider=self.label)
        if "error" in content:
            raise refusal(content, label=self.label, retry_after=wait_of(answer.headers))
        return answer


class _ClientAuth(ClientAuth, AuthBase):  # type: ignore[misc]  # authlib is untyped
    """Authlib's client authentication in the form that requests takes."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.url, request.headers, request.body = self.prepare(
            request.method, request.url, request.headers, request.body
        )
        return request


class _Client(OAuth2Client):  # type: ignore[misc]  # authlib is untyped
    client_auth_class = _ClientAuth


def _basic(client: ClientAuth, method: str, url: str, headers: Any, body: Any) -> tuple[str, Any, Any]:
    """HTTP Basic with both parts encoded as in forms (RFC 6749 §2.3.1), which Authlib leaves out."""
    login = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret)}"
    headers["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
    return url, headers, body
