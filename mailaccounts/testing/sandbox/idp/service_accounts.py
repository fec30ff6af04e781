"""Google's service accounts: a signed assertion (RFC 7523) is exchanged for a token, in a user's name with ``sub``.

That is domain-wide delegation: an administrator has allowed the service account certain scopes in everybody's name.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import jwt
from django.utils import timezone
from oauth2_provider.models import AccessToken, Application
from oauthlib.common import generate_token

from mailaccounts.testing.sandbox.idp.accounts import find, user_of
from mailaccounts.testing.sandbox.idp.faults import faults
from mailaccounts.testing.sandbox.idp.shapes import SHAPES, Problem
from mailaccounts.testing.sandbox.idp.shapes.google import Google

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from mailaccounts.testing.sandbox.idp.task import Client

SECONDS = 3600


def exchange(assertion: str, *, token_url: str) -> dict[str, Any] | Problem:
    """The token answer, or why there is none."""
    client = SHAPES[Google.slug].client
    claims = read(assertion, client, token_url=token_url)
    if isinstance(claims, Problem):
        return claims
    scopes = str(claims.get("scope", "")).split()
    if not scopes or not set(scopes) <= set(SHAPES[Google.slug].scopes):
        return Problem(error="invalid_scope", description="Invalid OAuth scope or ID token audience provided.")
    user = None
    if "sub" in claims:
        if not set(scopes) <= faults.delegated:
            return Problem(error="unauthorized_client", status=401)
        person = find(str(claims["sub"]))
        if person is None:
            return Problem(error="invalid_grant", description="Invalid email or User ID")
        user = user_of(person)
    return issue(client, scopes, user)


def read(assertion: str, client: Client, *, token_url: str) -> dict[str, Any] | Problem:
    """The claims of an assertion that the service account signed for us, an hour long at most."""
    try:
        unproven = jwt.decode(assertion, options={"verify_signature": False})
        if unproven.get("iss") != client.service_account:
            return Problem(error="invalid_grant", description="Invalid grant: account not found")
        claims: dict[str, Any] = jwt.decode(
            assertion,
            client.service_key,
            algorithms=["RS256"],
            audience=token_url,
            options={"require": ["exp", "iat"]},
        )
    except jwt.ExpiredSignatureError:
        claims = {"iat": 0, "exp": SECONDS + 1}
    except jwt.InvalidTokenError:
        return Problem(error="invalid_grant", description="Invalid JWT Signature.")
    if claims["exp"] - claims["iat"] > SECONDS:
        text = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
        return Problem(error="invalid_grant", description=text)
    return claims


def issue(client: Client, scopes: list[str], user: User | None) -> dict[str, Any]:
    seconds = SECONDS if faults.token_lifetime is None else faults.token_lifetime
    token, row = str(generate_token()), AccessToken(scope=" ".join(scopes), user=user)
    row.application = Application.objects.get(client_id=client.service_account)
    row.expires = timezone.now() + timedelta(seconds=seconds)
    row.token = token
    row.save()
    return {"access_token": token, "expires_in": seconds, "token_type": "Bearer", "scope": row.scope}
