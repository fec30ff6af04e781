"""ID tokens: accepted only with the right signature, issuer, audience, times and nonce."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from mailaccounts.errors import IdTokenInvalid
from mailaccounts.oauth.discovery import Metadata, documents
from mailaccounts.oauth.id_token import IdTokenValidator
from mailaccounts.oauth.transport import Answer

KEY, OTHER_KEY = generate_private_key(65_537, 2048), generate_private_key(65_537, 2048)
TENANT, OTHER_TENANT = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
ISSUER = f"https://login.example.test/{TENANT}/v2.0"
COMMON = "https://login.example.test/{tenantid}/v2.0"
CLIENT, NONCE = "the-client", "the-nonce"


def jwk(key: RSAPrivateKey, kid: str, **more: str) -> dict[str, Any]:
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return {**public, "kid": kid, "use": "sig", **more}


class Provider:
    """The provider's end of the wire: hands out its keys and counts how often."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.asked = 0

    def get(self, url: str) -> Answer:
        self.asked += 1
        return Answer(status_code=200, text=json.dumps({"keys": self.keys}), headers={})


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    documents.forget()


@pytest.fixture
def provider() -> Provider:
    return Provider(jwk(KEY, "k1"))


def validator(provider: Provider, issuer: str = ISSUER, *algorithms: str) -> IdTokenValidator:
    metadata = Metadata(
        issuer=issuer,
        algorithms=frozenset(algorithms or {"RS256"}),
        authorization_endpoint="https://login.example.test/authorize",
        token_endpoint="https://login.example.test/token",
        jwks_uri="https://login.example.test/keys",
    )
    return IdTokenValidator(provider, metadata, client_id=CLIENT, label="Example")  # type: ignore[arg-type]  # a door


def token(key: Any = KEY, *, kid: str = "k1", algorithm: str = "RS256", **changes: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": "subject",
        "aud": CLIENT,
        "exp": now + 3600,
        "iat": now,
        "nbf": now,
        "nonce": NONCE,
        "tid": TENANT,
        "oid": "object",
        "preferred_username": "anna@example.test",
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid})


def test_a_good_token_tells_who_consented(provider: Provider) -> None:
    identity = validator(provider).validate(token(), nonce=NONCE)
    assert (identity.issuer, identity.subject) == (ISSUER, "subject")
    assert (identity.tenant, identity.object_id, identity.address) == (TENANT, "object", "anna@example.test")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"iss": ISSUER + "/"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": None},
        {"aud": [CLIENT, "another-client"]},  # without azp
        {"aud": [CLIENT, "another-client"], "azp": "another-client"},
        {"azp": "another-client"},
        {"exp": 1},
        {"exp": None},
        {"iat": None},
        {"nbf": 2**40},
        {"sub": None},
        {"nonce": "another-nonce"},
        {"nonce": None},
        {"tid": 5},
        {"oid": ["object"]},
        {"sub": "s" * 256},
        {"sub": "s\0"},  # PostgreSQL stores neither this
        {"oid": "\ud800"},  # nor this
    ],
)
def test_a_token_with_a_wrong_claim_is_refused(provider: Provider, changes: dict[str, Any]) -> None:
    with pytest.raises(IdTokenInvalid):
        validator(provider).validate(token(**changes), nonce=NONCE)


def test_several_audiences_are_fine_when_we_are_the_one_who_asked(provider: Provider) -> None:
    assert validator(provider).validate(token(aud=[CLIENT, "api"], azp=CLIENT), nonce=NONCE)


def test_clocks_may_differ_by_two_minutes(provider: Provider) -> None:
    now = int(time.time())
    assert validator(provider).validate(token(iat=now + 90, nbf=now + 90), nonce=NONCE)
    assert validator(provider).validate(token(exp=now - 90), nonce=NONCE)


def test_somebody_elses_signature_is_refused(provider: Provider) -> None:
    with pytest.raises(IdTokenInvalid):
        validator(provider).validate(token(OTHER_KEY), nonce=NONCE)


def test_an_unsigned_token_is_refused(provider: Provider) -> None:
    with pytest.raises(IdTokenInvalid):
        validator(provider).validate(token(None, algorithm="none"), nonce=NONCE)


def test_the_public_key_is_no_password(provider: Provider) -> None:
    """Algorithm confusion: HS256 keyed with what everybody may know."""
    pem = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    parts = token().split(".")
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": "k1"}).encode()).decode().rstrip("=")
    signer = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = base64.urlsafe_b64encode(signer.sign(f"{head}.{parts[1]}".encode(), pem)).decode().rstrip("=")
    with pytest.raises(IdTokenInvalid):
        validator(provider).validate(f"{head}.{parts[1]}.{signature}", nonce=NONCE)


EC_KEY = generate_ec_key(SECP256R1())


def ec_jwk(**more: str) -> dict[str, Any]:
    return {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(EC_KEY.public_key())), "kid": "k1", "use": "sig", **more}


def test_an_elliptic_signature_is_taken_from_a_provider_that_announces_it() -> None:
    signed = token(EC_KEY, algorithm="ES256")
    assert validator(Provider(ec_jwk()), ISSUER, "RS256", "ES256").validate(signed, nonce=NONCE)
    with pytest.raises(IdTokenInvalid):
        validator(Provider(ec_jwk())).validate(signed, nonce=NONCE)


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES256K", "RS1"])
def test_an_unsafe_algorithm_is_refused_although_the_provider_announces_it(provider: Provider, algorithm: str) -> None:
    parts = token().split(".")
    head = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "kid": "k1"}).encode()).decode().rstrip("=")
    with pytest.raises(IdTokenInvalid):
        validator(provider, ISSUER, algorithm).validate(f"{head}.{parts[1]}.{parts[2]}", nonce=NONCE)


@pytest.mark.parametrize("algorithm", ["RS256", "EdDSA", "ES384"])
def test_a_key_of_another_kind_signs_nothing(algorithm: str) -> None:
    parts = token(EC_KEY, algorithm="ES256").split(".")
    head = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "kid": "k1"}).encode()).decode().rstrip("=")
    judge = validator(Provider(ec_jwk()), ISSUER, algorithm, "ES256")
    with pytest.raises(IdTokenInvalid):
        judge.validate(f"{head}.{parts[1]}.{parts[2]}", nonce=NONCE)


def test_a_key_for_another_algorithm_signs_nothing() -> None:
    judge = validator(Provider(jwk(KEY, "k1", alg="RS512")), ISSUER, "RS256", "RS512")
    with pytest.raises(IdTokenInvalid):
        judge.validate(token(), nonce=NONCE)
    assert judge.validate(token(algorithm="RS512"), nonce=NONCE)


def unnamed() -> str:
    """A good token that doesn't say which key signed it."""
    return jwt.encode(jwt.decode(token(), options={"verify_signature": False}), KEY, algorithm="RS256")


@pytest.mark.parametrize("others", [(), (ec_jwk(use="enc"),), (ec_jwk(alg="ES256"),)])
def test_a_token_that_names_no_key_is_signed_with_the_only_one(others: tuple[dict[str, Any], ...]) -> None:
    """OpenID Connect Core §10.1."""
    assert validator(Provider(jwk(KEY, "k1"), *others)).validate(unnamed(), nonce=NONCE)


def test_a_token_that_names_no_key_of_several_is_refused() -> None:
    with pytest.raises(IdTokenInvalid):
        validator(Provider(jwk(KEY, "k1"), jwk(OTHER_KEY, "k2"))).validate(unnamed(), nonce=NONCE)


@pytest.mark.parametrize(
    ("claims", "address"),
    [
        ({"preferred_username": "anna", "email": "anna@example.test"}, "anna@example.test"),
        ({"preferred_username": "anna", "email": None}, "anna"),
        ({"preferred_username": None, "email": "anna@example.test"}, "anna@example.test"),
        ({"preferred_username": "a\0nna@example.test", "email": ["anna@example.test"]}, ""),
        ({"preferred_username": None}, ""),
    ],
)
def test_who_signed_in_is_shown_by_an_address_where_there_is_one(
    provider: Provider, claims: dict[str, Any], address: str
) -> None:
    assert validator(provider).validate(token(**claims), nonce=NONCE).address == address


@pytest.mark.parametrize("text", ["", "a", "a.b", "a.b.c", "é.é.é", "..", token() + ".x"])
def test_what_is_no_token_is_refused(provider: Provider, text: str) -> None:
    with pytest.raises(IdTokenInvalid):
        validator(provider).validate(text, nonce=NONCE)


def test_a_new_key_is_fetched_when_a_token_names_it(provider: Provider) -> None:
    judge = validator(provider)
    judge.validate(token(), nonce=NONCE)
    judge.validate(token(), nonce=NONCE)
    assert provider.asked == 1
    provider.keys.append(jwk(OTHER_KEY, "k2"))
    assert judge.validate(token(OTHER_KEY, kid="k2"), nonce=NONCE)
    assert provider.asked == 2


def test_an_unknown_key_is_refused_after_one_more_look(provider: Provider) -> None:
    with pytest.raises(IdTokenInvalid):
        validator(provider).validate(token(kid="unheard-of"), nonce=NONCE)
    assert provider.asked == 2


@pytest.mark.parametrize("keys", [None, 5, "keys", {"k1": "key"}, [None, 5, "k1", ["k1"]]])
def test_odd_keys_sign_nothing(keys: Any) -> None:
    odd = Provider()
    odd.keys = keys
    with pytest.raises(IdTokenInvalid):
        validator(odd).validate(token(), nonce=NONCE)


def test_a_key_of_an_odd_owner_signs_nothing() -> None:
    with pytest.raises(IdTokenInvalid):
        validator(Provider(jwk(KEY, "k1", issuer=[ISSUER]))).validate(token(), nonce=NONCE)


def test_an_encryption_key_signs_nothing() -> None:
    with pytest.raises(IdTokenInvalid):
        validator(Provider(jwk(KEY, "k1", use="enc"))).validate(token(), nonce=NONCE)


def test_any_tenant_may_sign_in_where_the_registration_is_for_all(provider: Provider) -> None:
    judge = validator(provider, COMMON)
    other = COMMON.replace("{tenantid}", OTHER_TENANT)
    assert judge.validate(token(), nonce=NONCE).tenant == TENANT
    assert judge.validate(token(iss=other, tid=OTHER_TENANT), nonce=NONCE).tenant == OTHER_TENANT


@pytest.mark.parametrize(
    "changes", [{"tid": OTHER_TENANT}, {"tid": None}, {"tid": ""}, {"iss": "https://evil.example"}, {"iss": COMMON}]
)
def test_issuer_and_tenant_have_to_agree(provider: Provider, changes: dict[str, Any]) -> None:
    with pytest.raises(IdTokenInvalid):
        validator(provider, COMMON).validate(token(**changes), nonce=NONCE)


def test_one_tenants_key_does_not_sign_for_another() -> None:
    other = COMMON.replace("{tenantid}", OTHER_TENANT)
    judge = validator(Provider(jwk(KEY, "k1", issuer=ISSUER), jwk(OTHER_KEY, "k2", issuer=COMMON)), COMMON)
    assert judge.validate(token(), nonce=NONCE)
    assert judge.validate(token(OTHER_KEY, kid="k2"), nonce=NONCE)
    with pytest.raises(IdTokenInvalid):
        judge.validate(token(iss=other, tid=OTHER_TENANT), nonce=NONCE)
