"""The certificate that a registration proves itself with: one PEM with an RSA key and its certificate."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import Certificate, load_pem_x509_certificate

from mailaccounts.errors import ClientMisconfigured, ClientSecretExpired


def read_certificate(pem: str, *, label: str) -> tuple[str, str]:
    """The private key and the certificate, each as PEM, whatever their order and what stands between them.

    ClientMisconfigured when they can't be read or don't belong together, ClientSecretExpired.
    """
    try:
        key, certificate = parse_certificate(pem)
    except ValueError:
        raise ClientMisconfigured(provider=label) from None
    if has_ended(certificate):
        raise ClientSecretExpired(provider=label)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private.decode(), certificate.public_bytes(Encoding.PEM).decode()


def parse_certificate(pem: str) -> tuple[RSAPrivateKey, Certificate]:
    """A private key with its certificate; ValueError says in words what is wrong, without any of it."""
    key = parse_private_key(pem)
    try:
        certificate = load_pem_x509_certificate(pem.encode())
    except ValueError:
        raise ValueError("There is no certificate in it (-----BEGIN CERTIFICATE-----).") from None
    if key.public_key() != certificate.public_key():
        raise ValueError("The key and the certificate don't belong together.")
    return key, certificate


def parse_private_key(pem: str) -> RSAPrivateKey:
    """An RSA key without a passphrase; ValueError as above."""
    try:
        key = load_pem_private_key(pem.encode(), None)
    except TypeError:
        raise ValueError("The private key is protected by a passphrase; export it without one.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("There is no private key in it (-----BEGIN PRIVATE KEY-----).") from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("The private key isn't an RSA key.")
    return key


def has_ended(certificate: Certificate) -> bool:
    return certificate.not_valid_after_utc <= datetime.now(UTC)
