"""A certificate instead of a client secret: ``client_assertion`` (RFC 7523 §2.2), as Entra takes it from MSAL."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

if TYPE_CHECKING:
    from mailaccounts.testing.sandbox.idp.task import Client

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def proves(assertion: str, client: Client, *, token_url: str) -> bool:
    """Whether the owner of the client's certificate signed ``assertion`` for this token endpoint."""
    if not client.certificate:
        return False
    certificate = x509.load_pem_x509_certificate(client.certificate.encode())
    try:
        header = jwt.get_unverified_header(assertion)
        claims: dict[str, Any] = jwt.decode(
            assertion,
            certificate.public_key(),  # type: ignore[arg-type]  # made by the sandbox, with RSA
            algorithms=["RS256", "PS256"],
            audience=token_url,
            options={"require": ["exp", "iss", "sub", "jti"]},
        )
    except jwt.InvalidTokenError:
        return False
    named = {str(header.get(name, "")).rstrip("=") for name in ("x5t", "x5t#S256")}
    return bool(named & _thumbprints(certificate)) and claims["iss"] == claims["sub"] == client.client_id


def _thumbprints(certificate: x509.Certificate) -> set[str]:
    """By which a header may name the certificate (RFC 7515 §4.1.7)."""
    prints = (certificate.fingerprint(SHA1()), certificate.fingerprint(SHA256()))  # noqa: S303 - what the header's field is defined as
    return {urlsafe_b64encode(each).decode().rstrip("=") for each in prints}
