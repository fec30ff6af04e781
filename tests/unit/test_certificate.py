"""A certificate as proof: the key and the certificate of one PEM, in any order, while it lasts."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mailaccounts.errors import ClientMisconfigured, ClientSecretExpired
from mailaccounts.oauth.certificate import read_certificate
from tests.unit.keys import certificate_pem, private_pem, rsa_key

KEY, CERTIFICATE = private_pem(), certificate_pem()


@pytest.mark.parametrize("pem", [KEY + CERTIFICATE, CERTIFICATE + KEY, f"Bag Attributes\n{CERTIFICATE}\n\n{KEY}"])
def test_the_key_and_the_certificate_are_found_in_any_order(pem: str) -> None:
    assert read_certificate(pem, label="Microsoft") == (KEY, CERTIFICATE)


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "a secret",
        "é",
        KEY,
        CERTIFICATE,
        private_pem(rsa_key("another")) + CERTIFICATE,
        private_pem(passphrase="x") + CERTIFICATE,
        KEY + CERTIFICATE[:200],
        generate_ec_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        + CERTIFICATE,
    ],
)
def test_what_can_not_prove_anything_is_our_mistake(pem: str) -> None:
    with pytest.raises(ClientMisconfigured) as caught:
        read_certificate(pem, label="Microsoft")
    assert type(caught.value) is ClientMisconfigured


def test_a_certificate_that_ended_is_said_to_have() -> None:
    with pytest.raises(ClientSecretExpired):
        read_certificate(KEY + certificate_pem(days=-1), label="Microsoft")
