"""What an OpenID Connect provider is asked, and what is sent to it."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from mailaccounts.errors import ClientMisconfigured, InteractionRequired, ProviderThrottled
from mailaccounts.oauth.discovery import documents
from mailaccounts.oauth.google import GoogleProvider
from mailaccounts.oauth.oidc import OidcProvider
from mailaccounts.oauth.transport import Answer
from mailaccounts.oauth.types import ClientRegistration, ConsentRequest, GrantState

if TYPE_CHECKING:
    from mailaccounts.oauth.openid import OpenIdProvider
    from mailaccounts.oauth.types import Authorization

ISSUER = "https://login.example.test"
METADATA = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize?area=mail",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
    "revocation_endpoint": f"{ISSUER}/revoke",
}
TOKEN = {"access_token": "t0ken", "expires_in": 3600, "refresh_token": "new", "scope": "openid mail"}
STATE = GrantState(b'{"refresh_token": "old", "scopes": ["openid", "mail"]}')


class Wire:
    """The provider's end: answers as told, and keeps each request as it would have gone out."""

    def __init__(self) -> None:
        self.metadata: dict[str, Any] = METADATA
        self.answer: tuple[int, Any, dict[str, str]] = (200, TOKEN, {})
        self.asked: list[str] = []
        self.sent: list[requests.PreparedRequest] = []

    def get(self, url: str) -> Answer:
        self.asked.append(url)
        return Answer(status_code=200, text=json.dumps(self.metadata), headers={})

    def post(self, url: str, **options: Any) -> Answer:
        self.sent.append(requests.Request("POST", url, **options).prepare())
        status, content, headers = self.answer
        return Answer(status_code=status, text=json.dumps(content), headers=headers)

    @property
    def form(self) -> dict[str, str]:
        """What was posted last."""
        body = self.sent[-1].body
        return {name: values[0] for name, values in parse_qs(str(body)).items()}


@pytest.fixture
def wire() -> Wire:
    documents.forget()
    return Wire()


def made(wire: Wire, kind: type[OpenIdProvider] = OidcProvider, **changes: Any) -> OpenIdProvider:
    registration = {"client_id": "c", "client_secret": "s3cret", "authority": ISSUER, **changes}
    provider = kind(ClientRegistration(**registration))
    provider._transport = wire  # type: ignore[assignment]  # the door to the network
    return provider


def begun(provider: OpenIdProvider, **changes: Any) -> Authorization:
    scopes = tuple(scope.name for scope in provider.scopes)
    return provider.begin(ConsentRequest(**{"redirect_uri": "https://crm.test/", "scopes": scopes, **changes}))


def asked(provider: OpenIdProvider, **changes: Any) -> dict[str, str]:
    query = parse_qs(urlsplit(begun(provider, **changes).url).query)
    return {name: values[0] for name, values in query.items()}


# --- what is asked of people -----------------------------------------------------------------------------------


def test_the_standard_scopes_are_asked_for_where_the_registration_names_none(wire: Wire) -> None:
    assert asked(made(wire))["scope"] == "openid email profile offline_access"


def test_the_registration_says_which_scopes_open_mailboxes(wire: Wire) -> None:
    provider = made(wire, scopes=("mail:imap_full", "mail:smtp"))
    read, send = provider.scopes
    assert (read.sends, send.sends) == (False, True)
    assert "Read your mail" in read.reason
    assert "Send mail as you" in send.reason
    assert asked(provider)["scope"] == "openid mail:imap_full mail:smtp"  # who it is has to be known all the same


def test_the_person_chooses_an_account_and_is_never_made_to_consent_again(wire: Wire) -> None:
    assert asked(made(wire))["prompt"] == "select_account"


def test_a_provider_that_does_not_know_the_prompt_is_not_asked_for_it(wire: Wire) -> None:
    wire.metadata = {**METADATA, "prompt_values_supported": ["none", "login", "consent"]}
    assert "prompt" not in asked(made(wire))


def test_google_is_asked_for_offline_access_in_its_own_way(wire: Wire) -> None:
    """It gives a refresh token only at a consent (Google's OpenID Connect page)."""
    question = asked(made(wire, GoogleProvider))
    assert (question["access_type"], question["prompt"]) == ("offline", "consent select_account")
    assert question["scope"].split() == ["openid", "https://mail.google.com/", "email"]


def test_what_the_address_of_the_provider_says_already_stays(wire: Wire) -> None:
    assert asked(made(wire))["area"] == "mail"


def test_the_mailbox_is_hinted_at(wire: Wire) -> None:
    assert asked(made(wire), login_hint="anna@example.test")["login_hint"] == "anna@example.test"
    assert "login_hint" not in asked(made(wire))


def test_claims_that_a_refusal_wanted_are_passed_on(wire: Wire) -> None:
    claims = '{"access_token": {"acrs": {"essential": true, "value": "c1"}}}'
    wire.answer = (400, {"error": "interaction_required", "claims": claims}, {})
    with pytest.raises(InteractionRequired) as caught:
        made(wire).refresh(STATE)
    assert asked(made(wire), claims=caught.value.claims)["claims"] == claims


def test_a_provider_is_called_as_its_registration_is(wire: Wire) -> None:
    assert made(wire, name="Example AG").label == "Example AG"
    assert made(wire).label == "OpenID Connect"
    assert made(wire, GoogleProvider, name="Our app at Google").label == "Google"


# --- what is sent ----------------------------------------------------------------------------------------------


def redeem(provider: OpenIdProvider) -> None:
    authorization = begun(provider)
    provider._redeem(authorization.flow, {"code": "c0de"})


def test_the_code_goes_with_its_verifier(wire: Wire) -> None:
    authorization = begun(made(wire))
    made(wire)._redeem(authorization.flow, {"code": "c0de"})
    assert wire.sent[-1].url == METADATA["token_endpoint"]
    assert wire.form["grant_type"] == "authorization_code"
    assert wire.form["code"] == "c0de"
    assert wire.form["code_verifier"] == authorization.flow["code_verifier"]
    assert wire.form["redirect_uri"] == "https://crm.test/"


def test_the_secret_goes_into_the_form_where_the_provider_takes_it_there(wire: Wire) -> None:
    wire.metadata = {
        **METADATA,
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }
    secret = "s3cret+/%&= ü"
    redeem(made(wire, client_secret=secret))
    assert (wire.form["client_id"], wire.form["client_secret"]) == ("c", secret)
    assert "Authorization" not in wire.sent[-1].headers


def test_else_it_goes_into_the_header_encoded_as_the_standard_wants_it(wire: Wire) -> None:
    """RFC 6749 §2.3.1: both parts as in forms, or a secret with a plus or a colon would be another one."""
    redeem(made(wire, client_id="c:1", client_secret="s3+cret/ü"))
    kind, _, login = wire.sent[-1].headers["Authorization"].partition(" ")
    assert kind == "Basic"
    assert base64.b64decode(login).decode() == "c%3A1:s3%2Bcret%2F%C3%BC"
    assert "client_secret" not in wire.form


def test_a_refresh_names_no_scopes(wire: Wire) -> None:
    made(wire).refresh(STATE)
    assert wire.form["refresh_token"] == "old"
    assert "scope" not in wire.form


def test_a_revocation_proves_who_asks_for_it(wire: Wire) -> None:
    assert made(wire).revoke(STATE)
    assert wire.sent[-1].url == METADATA["revocation_endpoint"]
    assert (wire.form["token"], wire.form["token_type_hint"]) == ("old", "refresh_token")
    assert wire.sent[-1].headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize("error", ["invalid_token", "invalid_grant"])
def test_what_is_gone_already_needs_no_revocation(wire: Wire, error: str) -> None:
    wire.answer = (400, {"error": error}, {})
    assert made(wire).revoke(STATE)


@pytest.mark.parametrize("proof", ["certificate", "service_account"])
def test_nobody_is_sent_to_consent_to_a_registration_without_a_secret(wire: Wire, proof: str) -> None:
    with pytest.raises(ClientMisconfigured):
        begun(made(wire, GoogleProvider, proof=proof))


@pytest.mark.parametrize("authority", ["http://login.example.test", "login.example.test", ""])
def test_only_https_is_spoken(wire: Wire, authority: str) -> None:
    with pytest.raises(ClientMisconfigured):
        begun(made(wire, authority=authority))


# --- what comes back -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "refused",
    [
        {"error": "rate_limit_exceeded"},
        {"error": {"code": 403, "errors": [{"reason": "userRateLimitExceeded"}], "message": "Slow down"}},
        {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}},
    ],
)
def test_a_rate_limit_is_told_from_a_refusal_and_says_how_long(wire: Wire, refused: dict[str, Any]) -> None:
    wire.answer = (403, refused, {"Retry-After": "17"})
    with pytest.raises(ProviderThrottled) as caught:
        made(wire, GoogleProvider).refresh(STATE)
    assert caught.value.retry_after == 17
