"""Secrets, certificates and key files as they are entered: what may be shown of them, and why one is no use."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import load_pem_x509_certificate

from mailaccounts.oauth import proofs
from tests.unit.keys import certificate_pem, private_pem, rsa_key, service_account_key

EC_KEY = (
    ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
)


def test_a_client_secret_tells_nothing() -> None:
    assert proofs.read("secret", "Zq8~.aB_c-D") == proofs.Facts()


@pytest.mark.parametrize("turned", [False, True])
def test_a_certificate_tells_its_thumbprints_and_its_end(turned: bool) -> None:
    certificate = certificate_pem(days=90)
    facts = proofs.read("certificate", certificate + private_pem() if turned else private_pem() + certificate)
    der = load_pem_x509_certificate(certificate.encode()).public_bytes(Encoding.DER)
    assert dict(facts.told) == {
        "Thumbprint (SHA-1)": hashlib.sha1(der).hexdigest().upper(),  # noqa: S324 - as Entra's console shows it
        "Thumbprint (SHA-256)": hashlib.sha256(der).hexdigest().upper(),
    }
    assert facts.expires_on in {
        (datetime.now(UTC) + timedelta(days=90, minutes=minutes)).date() for minutes in (-1, 0)
    }


def test_a_service_account_tells_its_name_and_its_number() -> None:
    facts = proofs.read("service_account", service_account_key())
    assert dict(facts.told) == {
        "Service account": "crm@crm.iam.gserviceaccount.com",
        "Client ID for domain-wide delegation": "123456789012345678901",
        "Key ID": "k1",
    }
    assert facts.client_id == "crm@crm.iam.gserviceaccount.com"


@pytest.mark.parametrize(
    ("proof", "text", "words"),
    [
        ("secret", "two words", "one word"),
        ("secret", "two\nlines", "one word"),
        ("secret", "x" * 20_001, "too long"),
        ("certificate", "a-secret", "no private key"),
        ("certificate", certificate_pem(), "no private key"),
        ("certificate", private_pem(), "no certificate"),
        ("certificate", private_pem(passphrase="p4ss") + certificate_pem(), "passphrase"),
        ("certificate", private_pem(rsa_key("another")) + certificate_pem(), "belong together"),
        ("certificate", EC_KEY + certificate_pem(), "RSA"),
        ("certificate", private_pem() + certificate_pem(days=-1), "ended on"),
        ("service_account", "a-secret", "JSON file"),
        ("service_account", "[" * 10_000, "JSON file"),
        ("service_account", "[]", "JSON file"),
        ("service_account", service_account_key(type="authorized_user"), "JSON file"),
        ("service_account", service_account_key(client_id=None), "JSON file"),
        ("service_account", service_account_key(client_email=["a"]), "JSON file"),
        ("service_account", service_account_key(private_key="k3y"), "no private key"),
    ],
)
def test_what_is_no_use_is_said_to_be_in_words_and_without_any_of_it(proof: str, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        proofs.read(proof, text)
    said = str(caught.value)
    assert not any(part in said for part in ("a-secret", "k3y", "p4ss", "MII", "gserviceaccount"))
    assert caught.value.__cause__ is None
