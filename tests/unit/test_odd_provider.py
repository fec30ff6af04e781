"""A provider that answers oddly is an outage or an answer that can't be verified, never a crash."""

from __future__ import annotations

import json
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from mailaccounts.errors import (
    AuthorityUnknown,
    ConsentExpired,
    GrantRevoked,
    IdTokenInvalid,
    IssuerMismatch,
    OAuthError,
    ProviderUnavailable,
    ScopeMissing,
)
from mailaccounts.oauth.discovery import documents
from mailaccounts.oauth.google import GoogleProvider
from mailaccounts.oauth.microsoft import MicrosoftProvider
from mailaccounts.oauth.oidc import OidcProvider
from mailaccounts.oauth.transport import Answer
from mailaccounts.oauth.types import ClientRegistration, ConsentRequest, GrantState

if TYPE_CHECKING:
    from mailaccounts.oauth.base import BaseProvider

BASE = "https://login.example.test/tenant"
ISSUER = f"{BASE}/v2.0"
PROVIDERS: dict[str, tuple[type[BaseProvider], str]] = {
    "microsoft": (MicrosoftProvider, BASE),
    "google": (GoogleProvider, ISSUER),
    "oidc": (OidcProvider, ISSUER),
}
METADATA = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{BASE}/authorize",
    "token_endpoint": f"{BASE}/token",
    "jwks_uri": f"{BASE}/keys",
}
TOKEN = {"access_token": "t0ken", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "new", "scope": "a b"}
STATE = GrantState(b'{"refresh_token": "old", "scopes": ["a", "b"]}')


class OddProvider:
    """The provider's end of the wire: answers as it is told and keeps what was posted."""

    def __init__(self) -> None:
        self.metadata: Any = METADATA
        self.status = 200
        self.token: Any = TOKEN
        self.token_status = 200
        self.posted: list[str] = []

    def get(self, url: str) -> Answer:
        return Answer(status_code=self.status, text=json.dumps(self.metadata), headers={})

    def post(self, url: str, **options: Any) -> Answer:
        self.posted.append(url)
        return Answer(status_code=self.token_status, text=json.dumps(self.token), headers={})


@pytest.fixture
def odd() -> OddProvider:
    documents.forget()
    return OddProvider()


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest, odd: OddProvider) -> BaseProvider:
    return made(request.param, odd)


def made(slug: str, odd: OddProvider) -> BaseProvider:
    kind, authority = PROVIDERS[slug]
    provider = kind(ClientRegistration(client_id="c", client_secret="s3cret", authority=authority))
    provider._transport = odd  # type: ignore[assignment]  # the door to the network
    return provider


def begun(provider: BaseProvider) -> tuple[Any, dict[str, str]]:
    authorization = provider.begin(ConsentRequest(redirect_uri="https://crm.test/", scopes=("a", "b")))
    return authorization.flow, {"state": authorization.state, "code": "c0de"}


@pytest.mark.parametrize(
    "token",
    [
        None,
        [],
        5,
        "text",
        {},
        {**TOKEN, "access_token": None},
        {**TOKEN, "access_token": ""},
        {**TOKEN, "access_token": {"a": "b"}},
        {**TOKEN, "access_token": "t0ken\0"},
        {**TOKEN, "access_token": "t0ken\ud800"},
        {**TOKEN, "access_token": "t0ken\r\nA1 LOGOUT"},
        {**TOKEN, "refresh_token": "new\ud800"},
        {**TOKEN, "scope": "a b\0"},
        {**TOKEN, "scope": ["a", "b"]},
        {"error": {"a": "b"}},
        {"error": "invalid_grant ", "suberror": []},
        {**TOKEN, "expires_in": "soon"},
        {**TOKEN, "expires_in": None},
        {**TOKEN, "refresh_token": ["new"]},
        {**TOKEN, "id_token": "no.token.atall"},
    ],
)
def test_an_odd_token_answer_is_an_outage_and_never_a_grant(
    provider: BaseProvider, odd: OddProvider, token: Any
) -> None:
    odd.token = token
    if not (isinstance(token, dict) and "id_token" in token):
        with pytest.raises(OAuthError) as caught:
            provider.refresh(STATE)
        assert type(caught.value) is ProviderUnavailable
    flow, params = begun(provider)
    with pytest.raises((ProviderUnavailable, IdTokenInvalid)):
        provider.complete(flow, params)


def test_what_msal_stumbles_over_is_an_outage(odd: OddProvider) -> None:
    odd.token = {**TOKEN, "refresh_in": float("inf")}
    with pytest.raises(ProviderUnavailable):
        made("microsoft", odd).refresh(STATE)


def test_a_consent_without_an_id_token_proves_nobody(provider: BaseProvider) -> None:
    flow, params = begun(provider)
    with pytest.raises(IdTokenInvalid):
        provider.complete(flow, params)


def test_a_consent_without_a_refresh_token_is_no_offline_access(provider: BaseProvider, odd: OddProvider) -> None:
    odd.token = {name: value for name, value in TOKEN.items() if name != "refresh_token"}
    flow, params = begun(provider)
    with pytest.raises(ScopeMissing, match="offline_access"):
        provider.complete(flow, params)


@pytest.mark.parametrize("nothing", [{}, {"refresh_token": None}, {"refresh_token": ""}])
def test_a_refresh_without_a_new_refresh_token_keeps_the_old_one(
    provider: BaseProvider, odd: OddProvider, nothing: dict[str, Any]
) -> None:
    odd.token = {name: value for name, value in TOKEN.items() if name != "refresh_token"} | nothing
    assert json.loads(provider.refresh(STATE).state)["refresh_token"] == "old"


def test_an_absent_scope_means_all_that_was_asked_for(provider: BaseProvider, odd: OddProvider) -> None:
    odd.token = {name: value for name, value in TOKEN.items() if name != "scope"}
    assert {"a", "b"} <= provider.refresh(STATE).scopes


def test_an_absurd_lifetime_is_cut(provider: BaseProvider, odd: OddProvider) -> None:
    odd.token = {**TOKEN, "expires_in": 10**30}
    assert provider.refresh(STATE).token.value == "t0ken"


@pytest.mark.parametrize("seconds", [0, -1, -(10**13), -(10**30)])
def test_a_lifetime_that_is_over_ends_now(provider: BaseProvider, odd: OddProvider, seconds: int) -> None:
    odd.token = {**TOKEN, "expires_in": seconds}
    left = provider.refresh(STATE).token.expires_at - datetime.now(UTC)
    assert abs(left.total_seconds()) < 60


def test_a_lifetime_that_is_not_told_is_an_hour(provider: BaseProvider, odd: OddProvider) -> None:
    odd.token = {name: value for name, value in TOKEN.items() if name != "expires_in"}
    left = provider.refresh(STATE).token.expires_at - datetime.now(UTC)
    assert abs(left.total_seconds() - 3600) < 60


def test_an_odd_reason_for_a_refusal_is_still_that_refusal(provider: BaseProvider, odd: OddProvider) -> None:
    odd.token = {"error": "invalid_grant", "suberror": ["consent_required"], "error_codes": [None, "x"]}
    with pytest.raises(GrantRevoked):
        provider.refresh(STATE)


@pytest.mark.parametrize("answer", [None, [], "text", 5, {}])
def test_an_odd_refusal_to_revoke_is_an_outage(provider: BaseProvider, odd: OddProvider, answer: Any) -> None:
    odd.metadata = {**METADATA, "revocation_endpoint": f"{BASE}/revoke"}
    odd.token, odd.token_status = answer, 400
    with pytest.raises(ProviderUnavailable):
        provider.revoke(STATE)


def test_an_error_leaves_the_provider_without_frames_that_hold_tokens(
    provider: BaseProvider, odd: OddProvider
) -> None:
    """What an error tracker prints: the error with all it came of, and the local variables of every frame."""
    odd.token = {"error": "invalid_grant", "error_description": "old s3cret"}
    with pytest.raises(GrantRevoked) as caught:
        provider.refresh(STATE)
    error = caught.value
    assert error.__context__ is None
    told = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    ours = told[told.index("guard.py") :]  # what stands above is this test
    assert "GrantState(…)" in ours
    assert "old" not in ours
    assert "s3cret" not in ours


def test_a_callback_with_neither_code_nor_error_is_not_valid(provider: BaseProvider, odd: OddProvider) -> None:
    flow, params = begun(provider)
    with pytest.raises(ConsentExpired):
        provider.complete(flow, {"state": params["state"]})
    assert odd.posted == []


@pytest.mark.parametrize("issuer", [{}, {"iss": ""}, {"iss": "https://evil.example"}])
def test_a_provider_that_names_itself_in_answers_has_to_do_so(
    provider: BaseProvider, odd: OddProvider, issuer: dict[str, str]
) -> None:
    """RFC 9207: no code is sent anywhere on the word of an answer without the right ``iss``."""
    odd.metadata = {**METADATA, "authorization_response_iss_parameter_supported": True}
    flow, params = begun(provider)
    with pytest.raises(IdTokenInvalid):
        provider.complete(flow, {**params, **issuer})
    assert odd.posted == []


def test_what_can_not_be_revoked_is_left_to_expire(provider: BaseProvider, odd: OddProvider) -> None:
    assert provider.revoke(STATE) is False
    assert odd.posted == []
    documents.forget()
    odd.metadata = {**METADATA, "revocation_endpoint": f"{BASE}/revoke"}
    assert provider.revoke(STATE) is True
    assert odd.posted == [f"{BASE}/revoke"]


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        None,
        {"issuer": ISSUER},
        {**METADATA, "token_endpoint": "http://login.example.test/token"},
        {**METADATA, "authorization_endpoint": "javascript:alert(1)"},
        {**METADATA, "jwks_uri": 5},
        {**METADATA, "id_token_signing_alg_values_supported": "RS256"},
        {**METADATA, "token_endpoint_auth_methods_supported": [5]},
    ],
)
def test_odd_metadata_is_an_outage(provider: BaseProvider, odd: OddProvider, metadata: Any) -> None:
    odd.metadata = metadata
    with pytest.raises(ProviderUnavailable):
        begun(provider)


@pytest.mark.parametrize("issuer", [None, "", "https://evil.example", ISSUER + "/", ISSUER.upper()])
@pytest.mark.parametrize("slug", ["google", "oidc"])
def test_metadata_of_another_issuer_is_not_taken(odd: OddProvider, slug: str, issuer: str | None) -> None:
    """To the letter (OWASP ASVS 10.5.3), and nobody is sent anywhere on the word of it."""
    odd.metadata = {**METADATA, "issuer": issuer}
    with pytest.raises(IssuerMismatch):
        begun(made(slug, odd))


def test_a_tenant_without_metadata_is_a_mistake_of_ours(provider: BaseProvider, odd: OddProvider) -> None:
    odd.status = 404
    with pytest.raises(AuthorityUnknown):
        begun(provider)
