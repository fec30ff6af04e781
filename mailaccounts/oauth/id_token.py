"""Validates ID tokens (OpenID Connect Core §3.1.3.7): MSAL does not."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

import jwt

from mailaccounts.errors import IdTokenInvalid
from mailaccounts.oauth.discovery import TENANT, documents
from mailaccounts.oauth.types import Identity

if TYPE_CHECKING:
    from mailaccounts.oauth.discovery import Metadata
    from mailaccounts.oauth.transport import Transport

ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
"""Asymmetric ones: "none", and HS256 keyed with what everybody may know, are thereby refused."""

LEEWAY_SECONDS = 120
MAX_ADDRESS = 320
MAX_SUBJECT = 255  # ASCII characters (OpenID Connect Core §2)
MAX_ISSUER = 400
MAX_ID = 80  # ``tid`` and ``oid`` are GUIDs
REQUIRED = ("iss", "sub", "aud", "exp", "iat")


class IdTokenValidator:
    """Judges the ID tokens of one provider for one client."""

    def __init__(self, transport: Transport, metadata: Metadata, *, client_id: str, label: str) -> None:
        self._transport, self._metadata = transport, metadata
        self._client_id, self._label = client_id, label

    def validate(self, id_token: str, *, nonce: str) -> Identity:
        """Who the token is about; raises as ``claims`` does."""
        claims = self.claims(id_token, nonce=nonce)
        return Identity(
            issuer=claims["iss"],
            subject=claims["sub"],
            tenant=claims.get("tid", ""),
            object_id=claims.get("oid", ""),
            address=_address(claims),
        )

    def claims(self, id_token: str, *, nonce: str) -> dict[str, Any]:
        """What the token says, once signature, issuer, audience, times and ``nonce`` (as it stood in the authorization
        request) are checked.

        IdTokenInvalid whatever is wrong; ProviderUnavailable when the keys can't be fetched.
        """
        try:
            header = jwt.get_unverified_header(id_token)
            algorithm, key = self._algorithm(header), self._key(header)
            claims: dict[str, Any] = jwt.decode(
                id_token,
                jwt.PyJWK(key, algorithm=algorithm),
                algorithms=[algorithm],
                audience=self._client_id,
                leeway=LEEWAY_SECONDS,
                options={"require": list(REQUIRED)},
            )
        except jwt.PyJWTError:
            raise self._invalid() from None
        tenant, object_id = claims.get("tid", ""), claims.get("oid", "")
        sound = (
            _is_id(claims["iss"], longest=MAX_ISSUER)
            and _is_id(claims["sub"], longest=MAX_SUBJECT)
            and _is_id(tenant, longest=MAX_ID)
            and _is_id(object_id, longest=MAX_ID)
            and self._metadata.is_issuer(claims["iss"], tenant=tenant)
            and str(key.get("issuer", claims["iss"])).replace(TENANT, tenant) == claims["iss"]
            and self._is_for_us_alone(claims)
            and hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode())
        )
        if not sound:
            raise self._invalid()
        return claims

    def _is_for_us_alone(self, claims: dict[str, Any]) -> bool:
        """With several audiences, ``azp`` has to say that we asked for the token."""
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        return bool(claims.get("azp", "" if several else self._client_id) == self._client_id)

    def _algorithm(self, header: dict[str, Any]) -> str:
        """What the token says it is signed with, if that is safe and its provider is known to use it."""
        algorithm = str(header.get("alg"))
        if algorithm not in ALGORITHMS & self._metadata.algorithms:
            raise self._invalid()
        return algorithm

    def _key(self, header: dict[str, Any]) -> dict[str, Any]:
        """The JWK the token names; the keys are fetched again once, since providers change them at any time.

        Where it names none, the only one there is (OpenID Connect Core §10.1). Entra's keys may say whose they are in
        ``issuer``: one tenant's key must not sign for another's.
        """
        name = header.get("kid")
        for fresh in (False, True):
            jwks = documents.get(self._transport, self._metadata.jwks_uri, label=self._label, fresh=fresh)
            keys = [key for key in _listed(jwks) if _signs(key, header["alg"])]
            fit = keys if name is None else [key for key in keys if key.get("kid") == name]
            if len(fit) == 1 or (fit and name is not None):
                return fit[0]
        raise self._invalid()

    def _invalid(self) -> IdTokenInvalid:
        return IdTokenInvalid(provider=self._label)


def _is_id(value: object, *, longest: int) -> bool:
    """Whether a claim is text that can be stored and compared."""
    return isinstance(value, str) and value.isprintable() and len(value) <= longest


def _listed(jwks: dict[str, Any]) -> list[dict[str, Any]]:
    keys = jwks.get("keys")
    return [key for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []


def _signs(key: dict[str, Any], algorithm: str) -> bool:
    """Whether a JWK is for signatures of this kind, as far as it says (RFC 7517 §4.2, §4.4)."""
    return bool(key.get("use", "sig") == "sig" and key.get("alg", algorithm) == algorithm)


def _address(claims: dict[str, Any]) -> str:
    """Who it is, as it may be shown and stored: an address where there is one. People choose it, so it can be
    anything."""
    names = [claims.get(name) for name in ("preferred_username", "email")]
    fit = [name for name in names if isinstance(name, str) and name.isprintable() and len(name) <= MAX_ADDRESS]
    return next((name for name in fit if "@" in name), next(iter(fit), ""))
