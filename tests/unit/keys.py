"""Keys and certificates for tests: made once, since making them takes a moment."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.serialization import KeySerializationEncryption


@cache
def rsa_key(name: str = "ours") -> RSAPrivateKey:
    """Another key for another name."""
    return generate_private_key(65_537, 2048)


def private_pem(key: RSAPrivateKey | None = None, *, passphrase: str = "") -> str:
    protection: KeySerializationEncryption = (
        BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    )
    return (key or rsa_key()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection).decode()


def certificate_pem(key: RSAPrivateKey | None = None, *, days: float = 30) -> str:
    """A self-signed certificate that began a year ago and ends ``days`` from now."""
    key, now = key or rsa_key(), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "crm.example.test")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=365))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, SHA256())
    )
    return certificate.public_bytes(Encoding.PEM).decode()


def service_account_key(**changes: object) -> str:
    """A key file as Google makes it."""
    content = {
        "type": "service_account",
        "project_id": "crm",
        "private_key_id": "k1",
        "private_key": private_pem(),
        "client_email": "crm@crm.iam.gserviceaccount.com",
        "client_id": "123456789012345678901",
        "token_uri": "https://oauth2.googleapis.com/token",
        **changes,
    }
    return json.dumps({name: value for name, value in content.items() if value is not None})
