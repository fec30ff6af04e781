"""OpenID Connect as its specifications have it, with today's best practice (RFC 9700): for any other provider."""

from __future__ import annotations

import uuid
from typing import Any

from mailaccounts.testing.sandbox.idp.shapes.base import OFFLINE, OPENID, Shape

MAIL = "mail"


class GenericOidc(Shape):
    slug = "oidc"
    scopes = {**OPENID, OFFLINE: "Keep this access while you are away", MAIL: "Read, write and send your mail"}
    mail_scopes = {"imap": (MAIL,), "smtp": (MAIL,)}
    names_issuer = True

    def discovery(self, **where: str) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "revocation_endpoint": f"{self.issuer}/revoke",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": sorted(self.grant_types),
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "authorization_response_iss_parameter_supported": True,
            "scopes_supported": list(self.scopes),
            "claims_supported": ["aud", "email", "email_verified", "exp", "iat", "iss", "name", "nonce", "sub"],
        }

    def claims(self, address: str, *, client_id: str) -> dict[str, Any]:
        return {
            "sub": str(uuid.uuid5(uuid.NAMESPACE_URL, f"oidc/{address}")),
            "email": address,
            "email_verified": True,
            "preferred_username": address,
            "name": address.partition("@")[0],
        }
