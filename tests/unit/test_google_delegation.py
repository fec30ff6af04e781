"""Google mailboxes without their users: what a service account says, and what Google's refusals mean."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
import pytest

from mailaccounts.errors import (
    ClientMisconfigured,
    ClientSecretRefused,
    DelegationMissing,
    GrantRevoked,
    OAuthError,
    ProviderThrottled,
    ProviderUnavailable,
    Remedy,
    UserUnknownAtProvider,
)
from mailaccounts.oauth.discovery import documents
from mailaccounts.oauth.google import GoogleProvider
from mailaccounts.oauth.provider import AdminConsentProvider, AppOnlyProvider
from mailaccounts.oauth.types import ClientRegistration
from tests.unit.keys import rsa_key, service_account_key
from tests.unit.test_openid import ISSUER, METADATA, Wire

TOKEN = {"access_token": "t0ken", "expires_in": 3599, "token_type": "Bearer"}


@pytest.fixture
def wire() -> Wire:
    documents.forget()
    wire = Wire()
    wire.answer = (200, TOKEN, {})
    return wire


def made(wire: Wire, secret: str = "", **changes: Any) -> GoogleProvider:
    registration = {"client_id": "c", "client_secret": secret or service_account_key(), "authority": ISSUER, **changes}
    provider = GoogleProvider(ClientRegistration(**{"proof": "service_account", **registration}))
    provider._transport = wire  # type: ignore[assignment]  # the door to the network
    return provider


def test_the_service_account_says_who_it_is_and_whose_mailbox_it_wants(wire: Wire) -> None:
    provider = made(wire)
    state = provider.app_only(mailbox="anna@example.test")
    issued = provider.refresh(state)
    assert (issued.state, issued.token.value, issued.identity) == (state, "t0ken", None)
    assert wire.form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert set(wire.form) == {"grant_type", "assertion"}
    assertion = wire.form["assertion"]
    claims = jwt.decode(assertion, rsa_key().public_key(), ["RS256"], audience=METADATA["token_endpoint"])
    assert claims["iss"] == "crm@crm.iam.gserviceaccount.com"
    assert claims["sub"] == "anna@example.test"
    assert claims["scope"] == "https://mail.google.com/"
    assert 0 < claims["exp"] - time.time() <= 3600
    assert jwt.get_unverified_header(assertion)["kid"] == "k1"


def test_a_grant_is_the_mailbox_users(wire: Wire) -> None:
    provider = made(wire)
    assert isinstance(provider, AppOnlyProvider)
    assert not isinstance(provider, AdminConsentProvider)
    who = provider.principal(provider.app_only(mailbox="Anna@example.test", tenant="unused"))
    assert (who.issuer, who.subject, who.tenant) == (ISSUER, "anna@example.test", "example.test")


def test_an_administrator_may_delegate_another_scope(wire: Wire) -> None:
    scope = "https://www.googleapis.com/auth/gmail.imap_admin"
    provider = made(wire, scopes=(scope, "openid"))
    provider.refresh(provider.app_only(mailbox="anna@example.test"))
    claims = jwt.decode(wire.form["assertion"], options={"verify_signature": False})
    assert claims["scope"] == scope


@pytest.mark.parametrize(
    "secret",
    [
        "s3cret",
        "[]",
        "5",
        '"text"',
        "{}",
        service_account_key(client_email=None),
        service_account_key(private_key=None),
        service_account_key(private_key_id=None),
    ],
)
def test_a_key_that_is_none_is_our_mistake(wire: Wire, secret: str) -> None:
    with pytest.raises(ClientMisconfigured):
        made(wire, secret).app_only(mailbox="anna@example.test")


def test_a_key_that_signs_nothing_is_our_mistake(wire: Wire) -> None:
    provider = made(wire, service_account_key(private_key="-----BEGIN PRIVATE KEY-----"))
    with pytest.raises(ClientMisconfigured):
        provider.refresh(provider.app_only(mailbox="anna@example.test"))
    assert wire.sent == []


def test_a_registration_with_a_secret_opens_nobodys_mailbox(wire: Wire) -> None:
    with pytest.raises(ClientMisconfigured):
        made(wire, proof="secret").app_only(mailbox="anna@example.test")


def test_there_has_to_be_a_mailbox(wire: Wire) -> None:
    with pytest.raises(UserUnknownAtProvider):
        made(wire).app_only()


@pytest.mark.parametrize(
    ("answer", "meaning", "remedy"),
    [
        (
            {
                "error": "unauthorized_client",
                "error_description": "Client is unauthorized to retrieve access tokens using this method, or client "
                "not authorized for any of the scopes requested.",
            },
            DelegationMissing,
            Remedy.ASK_ADMIN,
        ),
        (
            {"error": "access_denied", "error_description": "Requested client not authorized."},
            DelegationMissing,
            Remedy.ASK_ADMIN,
        ),
        (
            {"error": "invalid_grant", "error_description": "Invalid email or User ID"},
            UserUnknownAtProvider,
            Remedy.RECONNECT,
        ),
        ({"error": "invalid_grant", "error_description": "Account has been deleted"}, UserUnknownAtProvider, None),
        ({"error": "invalid_grant"}, UserUnknownAtProvider, None),
        ({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, ClientSecretRefused, None),
        (
            {
                "error": "invalid_grant",
                "error_description": "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
                "timeframe.",
            },
            ClientSecretRefused,
            Remedy.OPERATOR,
        ),
        (
            {"error": "invalid_grant", "error_description": "Invalid grant: account not found"},
            ClientSecretRefused,
            None,
        ),
        ({"error": "deleted_client"}, ClientMisconfigured, None),
        ({"error": "invalid_scope"}, ClientMisconfigured, None),
        ({"error": "admin_policy_enforced"}, OAuthError, Remedy.ASK_ADMIN),
        ({"error": "internal_failure"}, ProviderUnavailable, Remedy.WAIT),
        ({"error": ["odd"]}, ProviderUnavailable, None),
        ([], ProviderUnavailable, None),
        (None, ProviderUnavailable, None),
    ],
)
def test_a_refusal_blames_who_can_do_something_about_it(
    wire: Wire, answer: Any, meaning: type[OAuthError], remedy: Remedy | None
) -> None:
    """Never the grant: nobody has given one that could end."""
    provider = made(wire)
    wire.answer = (400, answer, {})
    with pytest.raises(meaning) as caught:
        provider.refresh(provider.app_only(mailbox="anna@example.test"))
    assert remedy in {None, caught.value.remedy}
    assert not isinstance(caught.value, GrantRevoked)
    assert json.loads(service_account_key())["private_key"][40:80] not in repr(caught.value)


def test_a_rate_limit_says_how_long_to_wait(wire: Wire) -> None:
    provider = made(wire)
    wire.answer = (403, {"error": {"errors": [{"reason": "rateLimitExceeded"}]}}, {"Retry-After": "9"})
    with pytest.raises(ProviderThrottled) as caught:
        provider.refresh(provider.app_only(mailbox="anna@example.test"))
    assert caught.value.retry_after == 9


def test_there_is_nothing_to_give_back(wire: Wire) -> None:
    """Its administrator ends it."""
    provider = made(wire)
    assert not provider.revoke(provider.app_only(mailbox="anna@example.test"))
    assert wire.sent == []
