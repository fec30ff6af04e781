"""Google's ways: refresh tokens for those who ask twice, scopes to untick, errors in two sentences.

Vendor documents: "Using OAuth 2.0 for Web Server Applications", "OpenID Connect", "XOAUTH2 Mechanism".
"""

from __future__ import annotations

import uuid
from base64 import b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from mailaccounts.testing.sandbox.idp.shapes.base import OPENID, Problem, Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

MAIL = "https://mail.google.com/"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"

KEEPS = "sandbox:refresh-token"
"""Marks a consent that yields a refresh token, among its scopes; never shown and never told."""

TEXTS = {
    "invalid_client": "The provided client secret is invalid.",
    "invalid_grant": "Token has been expired or revoked.",
    "invalid_scope": "Some requested scopes were invalid.",
    "unsupported_grant_type": "Invalid grant_type.",
    "temporarily_unavailable": "Rate limit exceeded.",
    "unauthorized_client": "Client is unauthorized to retrieve access tokens using this method, or client not "
    "authorized for any of the scopes requested.",
}


class Google(Shape):
    slug = "google"
    scopes = {**OPENID, MAIL: "Read, compose, send, and permanently delete all your email", KEEPS: ""}
    mail_scopes = {"imap": (MAIL,), "smtp": (MAIL,)}
    rotates = False
    lets_untick = True

    def discovery(self, **where: str) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/o/oauth2/v2/auth",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/v1/userinfo",
            "revocation_endpoint": f"{self.issuer}/revoke",
            "jwks_uri": f"{self.issuer}/oauth2/v3/certs",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": [*sorted(self.grant_types), JWT_BEARER],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "scopes_supported": list(OPENID),
            "claims_supported": ["aud", "email", "email_verified", "exp", "hd", "iat", "iss", "name", "sub"],
        }

    def claims(self, address: str, *, client_id: str) -> dict[str, Any]:
        return {
            "sub": str(uuid.uuid5(uuid.NAMESPACE_URL, f"google/{address}").int % 10**21).zfill(21),
            "email": address,
            "email_verified": True,
            "hd": address.rpartition("@")[2],
            "name": address.partition("@")[0],
        }

    def problem(self, problem: Problem, form: Mapping[str, str], *, known: bool) -> Problem:
        if problem.error == "invalid_client" and not known:
            return Problem(error=problem.error, description="The OAuth client was not found.", status=401)
        if problem.error == "invalid_grant" and form.get("grant_type") != "refresh_token":
            return Problem(error=problem.error, description="Bad Request")
        return Problem(error=problem.error, status=problem.status)

    def error(self, problem: Problem) -> dict[str, Any]:
        return {
            "error": problem.error,
            "error_description": problem.description or TEXTS.get(problem.error, "Bad Request"),
        }

    def error_address(self, unknown: str) -> str:
        """With the error's name in a message of protocol buffers: a field's tag, a length, the text."""
        name = b"redirect_uri_mismatch" if unknown == "redirect_uri" else b"invalid_client"
        message = b64encode(b"\n" + bytes([len(name)]) + name, b"-_").decode().rstrip("=")
        return f"{self.issuer}/signin/oauth/error?{urlencode({'authError': message, 'flowName': 'GeneralOAuthFlow'})}"

    def declined(self) -> dict[str, str]:
        return {"error": "access_denied"}

    def granted(self, scopes: list[str], query: Mapping[str, str], *, again: bool) -> list[str]:
        """Marked when a refresh token is due: asked for offline, and for the first time or with prompt=consent."""
        due = query.get("access_type") == "offline" and (not again or "consent" in query.get("prompt", "").split())
        return [*scopes, KEEPS] if due else scopes

    def token_answer(self, body: dict[str, Any], form: Mapping[str, str]) -> dict[str, Any]:
        scopes = body["scope"].split()
        answer = {**body, "scope": " ".join(scope for scope in scopes if scope != KEEPS)}
        if KEEPS not in scopes:
            answer.pop("refresh_token", None)
        return answer
