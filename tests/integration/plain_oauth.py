"""A plain OpenID Connect client for the sandbox's tests: requests and nothing of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import jwt

from tests.integration.sandbox_clients import CHALLENGE, VERIFIER

if TYPE_CHECKING:
    from mailaccounts.oauth.types import ClientRegistration
    from mailaccounts.testing.sandbox import SandboxUser
    from mailaccounts.testing.sandbox.provider import IdentityProvider

SCOPES = {
    "google": "openid email profile https://mail.google.com/",
    "oidc": "openid email profile offline_access mail",
}


@dataclass
class PlainClient:
    """The CRM's registration with "google" or "oidc", used by hand."""

    idp: IdentityProvider
    provider: str

    @property
    def registration(self) -> ClientRegistration:
        return self.idp.registrations[self.provider]

    @property
    def issuer(self) -> str:
        return self.idp.issuers[self.provider]

    @property
    def redirect_uri(self) -> str:
        return f"http://localhost:8765/oauth/{self.provider}/callback/"

    def discovered(self) -> dict[str, Any]:
        document: dict[str, Any] = self.idp.session().get(f"{self.issuer}/.well-known/openid-configuration").json()
        return document

    def url(self, **changes: str) -> str:
        """An authorization request."""
        query = {
            "client_id": self.registration.client_id,
            "response_type": "code",
            "redirect_uri": self.redirect_uri,
            "scope": SCOPES[self.provider],
            "state": "a-state",
            "nonce": "a-nonce",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **changes,
        }
        return f"{self.discovered()['authorization_endpoint']}?{urlencode(query)}"

    def token(self, **fields: str) -> tuple[int, dict[str, Any]]:
        """Status and body of a token request, with the client's secret."""
        client = {"client_id": self.registration.client_id, "client_secret": self.registration.client_secret}
        answer = self.idp.session().post(self.discovered()["token_endpoint"], data={**client, **fields})
        return answer.status_code, answer.json()

    def exchange(self, code: str) -> tuple[int, dict[str, Any]]:
        return self.token(
            grant_type="authorization_code", code=code, redirect_uri=self.redirect_uri, code_verifier=VERIFIER
        )

    def sign_in(self, user: SandboxUser, *, without: tuple[str, ...] = (), **changes: str) -> dict[str, Any]:
        """The whole code flow."""
        params = self.idp.person(user).consent(self.url(**changes), without=without)
        status, answer = self.exchange(params["code"])
        assert status == 200, answer
        return answer

    def refresh(self, refresh_token: str) -> tuple[int, dict[str, Any]]:
        return self.token(grant_type="refresh_token", refresh_token=refresh_token)

    def claims(self, id_token: str) -> dict[str, Any]:
        """The claims of an ID token whose signature, audience and issuer are right."""
        keys = jwt.PyJWKSet.from_dict(self.idp.session().get(self.discovered()["jwks_uri"]).json())
        claims: dict[str, Any] = jwt.decode(
            id_token,
            keys[jwt.get_unverified_header(id_token)["kid"]].key,
            algorithms=["RS256"],
            audience=self.registration.client_id,
            issuer=self.issuer,
        )
        return claims

    def revoke(self, token: str, **client: str) -> int:
        return (
            self.idp.session()
            .post(self.discovered()["revocation_endpoint"], data={"token": token, **client})
            .status_code
        )


def introspected(idp: IdentityProvider, token: str, *, protocol: str = "imap") -> dict[str, Any]:
    """What the mail servers are told of a token."""
    answer = idp.session().post(idp.introspection_url(protocol, with_secret=True), data={"token": token})
    body: dict[str, Any] = answer.json()
    return body
