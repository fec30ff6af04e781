"""django-oauth-toolkit's rules with the ways of each provider: clients, claims, loopback ports; faults on demand."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from oauth2_provider.oauth2_validators import OAuth2Validator
from oauth2_provider.scopes import SettingsScopes
from oauthlib.oauth2.rfc6749 import errors

from mailaccounts.testing.sandbox.idp import client_assertions
from mailaccounts.testing.sandbox.idp.faults import faults
from mailaccounts.testing.sandbox.idp.shapes import Shape, shape_at, shape_of_client
from mailaccounts.testing.sandbox.idp.task import published

LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class SandboxScopes(SettingsScopes):  # type: ignore[misc]  # the toolkit is untyped
    """To each client the scopes of its provider."""

    def get_available_scopes(self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any) -> Any:
        shape = shape_of_client(application.client_id) if application else None
        return list(shape.scopes) if shape else super().get_available_scopes(application, request)


class SandboxValidator(OAuth2Validator):  # type: ignore[misc]  # the toolkit is untyped
    """A client counts at its own provider only, whose rules then apply."""

    oidc_claim_scope = None  # every claim, whatever was asked for: providers decide by themselves too

    def _load_application(self, client_id: str, request: Any) -> Any:
        shape = shape_of_client(client_id or "")
        if shape is not None and shape_at(request.uri) is not shape:
            request.client = None
            return None
        return super()._load_application(client_id, request)

    def validate_grant_type(self, client_id: str, grant_type: str, client: Any, request: Any, **kwargs: Any) -> bool:
        return grant_type in shape_for(request).grant_types

    def client_authentication_required(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        return bool(assertion_of(request)) or bool(super().client_authentication_required(request, *args, **kwargs))

    def authenticate_client(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        """By its secret, or by a certificate where one is registered."""
        assertion = assertion_of(request)
        if not assertion:
            return bool(super().authenticate_client(request, *args, **kwargs))
        if self._load_application(request.client_id, request) is None:
            return False
        # At the revocation endpoint, too, an assertion is for the token endpoint beside it.
        token_url = f"{published().base_url}{urlsplit(request.uri).path.rpartition('/')[0]}/token"
        return client_assertions.proves(assertion, shape_for(request).client, token_url=token_url)

    def validate_redirect_uri(self, client_id: str, redirect_uri: str, request: Any, **kwargs: Any) -> bool:
        return redirect_allowed(request.client, redirect_uri)

    def is_pkce_required(self, client_id: str, request: Any) -> bool:
        """Always, and with S256: "plain" proves nothing to whoever can read the request."""
        if request.code_challenge and request.code_challenge_method != "S256":
            raise errors.UnsupportedCodeChallengeMethodError(request=request)
        return True

    def validate_silent_login(self, request: Any) -> bool:
        """Never: consent is asked for each time, so prompt=none answers login_required."""
        return False

    def rotate_refresh_token(self, request: Any) -> bool:
        return shape_for(request).rotates

    def get_original_scopes(self, refresh_token: str, request: Any, *args: Any, **kwargs: Any) -> list[str]:
        """What was consented to. A refresh that asks for part of it gets all of it, as Entra gives."""
        scopes = super().get_original_scopes(refresh_token, request, *args, **kwargs)
        granted = scopes.split() if isinstance(scopes, str) else list(scopes)
        if set((request.scope or "").split()) <= set(granted):
            request.scope = None
        return granted

    def get_oidc_issuer_endpoint(self, request: Any) -> str:
        return shape_for(request).issuer

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        return shape_for(request).claims(request.user.username, client_id=request.client.client_id)

    def get_id_token_dictionary(self, token: Any, token_handler: Any, request: Any) -> tuple[dict[str, Any], Any]:
        claims, expires = super().get_id_token_dictionary(token, token_handler, request)
        if faults.clock_skew:
            now = int(time.time()) + faults.clock_skew
            claims.update(iat=now, nbf=now, exp=claims["exp"] + faults.clock_skew, auth_time=now)
        return {**claims, **faults.claims}, expires + timedelta(seconds=faults.clock_skew)

    def _save_bearer_token(self, token: dict[str, Any], request: Any, *args: Any, **kwargs: Any) -> None:
        if faults.token_lifetime is not None:
            token["expires_in"] = faults.token_lifetime
        if request.grant_type == "refresh_token" and not self.rotate_refresh_token(request):
            token.pop("refresh_token", None)  # it stays as it is, and so do the access tokens it has yielded
        super()._save_bearer_token(token, request, *args, **kwargs)


def redirect_allowed(application: Any, redirect_uri: str) -> bool:
    """Exactly as registered; on loopback hosts any port (RFC 8252 §7.3), here with https as well."""
    parts = urlsplit(redirect_uri)
    if parts.scheme == "https" and parts.hostname in LOOPBACK:
        redirect_uri = parts._replace(scheme="http").geturl()
    return bool(application.redirect_uri_allowed(redirect_uri))


def shape_for(request: Any) -> Shape:
    """The provider of the client that oauthlib's request has been found to come from."""
    shape = shape_of_client(request.client.client_id)
    assert shape is not None
    return shape


def assertion_of(request: Any) -> str:
    """What the client proves itself with instead of a secret, or ""."""
    of_our_kind = getattr(request, "client_assertion_type", "") == client_assertions.TYPE
    return str(getattr(request, "client_assertion", "")) if of_our_kind else ""
