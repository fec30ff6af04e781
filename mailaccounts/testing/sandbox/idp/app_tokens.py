"""Access tokens. Those of applications at Entra are JWTs with the roles in them; all others are opaque."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

import jwt
from oauth2_provider.utils import jwk_from_pem
from oauthlib.common import generate_token

from mailaccounts.testing.sandbox.idp.faults import faults
from mailaccounts.testing.sandbox.idp.shapes import SHAPES
from mailaccounts.testing.sandbox.idp.shapes.entra import APP_ROLES, DEFAULT_SCOPE, Entra, object_id
from mailaccounts.testing.sandbox.idp.task import published

if TYPE_CHECKING:
    from collections.abc import Collection


def generate(request: Any, *, refresh_token: bool = False) -> str:
    """oauthlib's token generator."""
    return for_application(request) if request.grant_type == "client_credentials" else str(generate_token())


def for_application(request: Any) -> str:
    """What client credentials yield; the roles may be missing altogether, as in a directory nobody consented for."""
    now, key = int(time.time()), published().signing_key
    claims = {
        "iss": SHAPES[Entra.slug].issuer,
        "aud": request.scopes[0].removesuffix(DEFAULT_SCOPE),
        "iat": now,
        "nbf": now,
        "exp": now + request.expires_in,
        "appid": request.client.client_id,
        "oid": object_id(request.client.client_id),
        "sub": object_id(request.client.client_id),
        "idtyp": "app",
        "tid": published().tenant,
        "roles": faults.granted(list(APP_ROLES.values())) if faults.consented else [],
        "uti": uuid.uuid4().hex,
    }
    if not claims["roles"]:
        del claims["roles"]
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": jwk_from_pem(key).thumbprint()})


def roles(token: str) -> list[str]:
    """The roles in an application's token, which was found in the database and so is ours."""
    return list(jwt.decode(token, options={"verify_signature": False}).get("roles", []))


def open(protocol: str, roles: Collection[str]) -> bool:
    """Whether these roles do for "imap" or "smtp"."""
    return APP_ROLES[protocol] in roles
