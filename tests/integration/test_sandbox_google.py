"""The sandbox's Google-shaped provider: what Google's documents say of refresh tokens, scopes and service accounts."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from mailaccounts.testing.sandbox.registrations import KeyPair
from tests.integration.plain_oauth import PlainClient, introspected

if TYPE_CHECKING:
    from mailaccounts.testing.sandbox.provider import IdentityProvider
    from tests.sandbox_fixtures import SandboxMailbox

MAIL = "https://mail.google.com/"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.fixture
def google(idp: IdentityProvider) -> PlainClient:
    return PlainClient(idp, "google")


def test_an_id_token_tells_who_it_is_and_of_which_domain(google: PlainClient, mailbox: SandboxMailbox) -> None:
    answer = google.sign_in(mailbox.user)

    claims = google.claims(answer["id_token"])
    assert (claims["email"], claims["email_verified"], claims["hd"]) == (mailbox.address, True, "sandbox.test")
    assert claims["sub"].isdigit()
    assert claims["nonce"] == "a-nonce"


def test_a_refresh_token_comes_only_when_asked_for_offline(google: PlainClient, mailbox: SandboxMailbox) -> None:
    assert "refresh_token" not in google.sign_in(mailbox.user)


def test_a_refresh_token_comes_at_the_first_consent_only(google: PlainClient, mailbox: SandboxMailbox) -> None:
    first = google.sign_in(mailbox.user, access_type="offline")
    second = google.sign_in(mailbox.user, access_type="offline")
    forced = google.sign_in(mailbox.user, access_type="offline", prompt="select_account consent")

    assert "refresh_token" in first
    assert "refresh_token" not in second
    assert "refresh_token" in forced
    assert first["scope"].split() == ["openid", "email", "profile", MAIL]


def test_a_refresh_keeps_the_refresh_token_and_the_tokens_it_gave(
    google: PlainClient, mailbox: SandboxMailbox
) -> None:
    first = google.sign_in(mailbox.user, access_type="offline")

    answers = [google.refresh(first["refresh_token"]) for _ in range(2)]

    assert [status for status, _ in answers] == [200, 200]
    assert all("refresh_token" not in answer for _, answer in answers)
    tokens = {first["access_token"], *(answer["access_token"] for _, answer in answers)}
    assert len(tokens) == 3
    assert all(introspected(google.idp, token)["active"] for token in tokens)


def test_a_scope_can_be_unticked(google: PlainClient, mailbox: SandboxMailbox) -> None:
    answer = google.sign_in(mailbox.user, without=(MAIL,))

    assert MAIL not in answer["scope"].split()
    assert not introspected(google.idp, answer["access_token"])["active"]


def test_revoking_either_token_ends_the_consent(google: PlainClient, mailbox: SandboxMailbox) -> None:
    answer = google.sign_in(mailbox.user, access_type="offline")

    assert google.revoke(answer["access_token"]) == 200

    status, error = google.refresh(answer["refresh_token"])
    assert (status, error) == (
        400,
        {"error": "invalid_grant", "error_description": "Token has been expired or revoked."},
    )
    assert google.revoke(answer["refresh_token"]) == 400
    assert "refresh_token" in google.sign_in(mailbox.user, access_type="offline")


def test_errors_are_in_googles_words(google: PlainClient, mailbox: SandboxMailbox) -> None:
    _, bad_code = google.exchange("4/guessed")
    google.idp.faults.refuse("invalid_grant")
    _, refused = google.refresh("any")
    wrong, error = google.token(grant_type="refresh_token", refresh_token="any", client_secret="wrong")

    assert bad_code == {"error": "invalid_grant", "error_description": "Bad Request"}
    assert refused["error_description"] == "Token has been expired or revoked."
    assert (wrong, error["error"]) == (401, "invalid_client")


def test_declining_is_access_denied_and_no_more(google: PlainClient, mailbox: SandboxMailbox) -> None:
    assert google.idp.person(mailbox.user).decline(google.url()) == {"error": "access_denied", "state": "a-state"}


def test_microsofts_client_is_unknown_here(google: PlainClient) -> None:
    microsoft = google.idp.registration

    answer = google.idp.session().get(google.url(client_id=microsoft.client_id), allow_redirects=False)
    status, error = google.token(
        grant_type="refresh_token",
        refresh_token="any",
        client_id=microsoft.client_id,
        client_secret=microsoft.client_secret,
    )

    assert "authError" in answer.headers["Location"]  # to a page of Google's own, not back to us
    assert (status, error["error"]) == (401, "invalid_client")


# --- service accounts --------------------------------------------------------------------------------------------


def assertion(google: PlainClient, *, key: str = "", **changes: Any) -> str:
    """What a service account signs; None leaves a claim out."""
    account, now = json.loads(google.idp.service_account_key), int(time.time())
    claims = {
        "iss": account["client_email"],
        "scope": MAIL,
        "aud": account["token_uri"],
        "iat": now,
        "exp": now + 3600,
        **changes,
    }
    chosen = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(chosen, key or account["private_key"], algorithm="RS256")


def test_a_service_account_gets_a_token_in_a_users_name(google: PlainClient, mailbox: SandboxMailbox) -> None:
    status, answer = google.token(grant_type=JWT_BEARER, assertion=assertion(google, sub=mailbox.address))

    assert (status, answer["token_type"]) == (200, "Bearer")
    assert "refresh_token" not in answer
    told = introspected(google.idp, answer["access_token"])
    assert (told["active"], told["email"]) == (True, mailbox.address)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"sub": "nobody@sandbox.test"}, "invalid_grant"),
        ({"iss": "another@sandbox-project.iam.gserviceaccount.test"}, "invalid_grant"),
        ({"aud": "https://elsewhere.example/token"}, "invalid_grant"),
        ({"iat": 1_700_000_000, "exp": 1_700_003_600}, "invalid_grant"),
        ({"exp": int(time.time()) + 90_000}, "invalid_grant"),
        ({"scope": "https://www.googleapis.com/auth/drive"}, "invalid_scope"),
        ({"scope": "openid"}, "unauthorized_client"),
    ],
    ids=["no such user", "another account", "another audience", "expired", "too long", "no such scope", "not allowed"],
)
def test_a_service_account_is_refused(
    google: PlainClient, mailbox: SandboxMailbox, changes: dict[str, Any], error: str
) -> None:
    signed = assertion(google, **{"sub": mailbox.address, **changes})

    _, answer = google.token(grant_type=JWT_BEARER, assertion=signed)

    assert answer["error"] == error


def test_another_key_signs_for_nobody(google: PlainClient, mailbox: SandboxMailbox) -> None:
    signed = assertion(google, sub=mailbox.address, key=KeyPair.make("Somebody else").private)

    status, answer = google.token(grant_type=JWT_BEARER, assertion=signed)

    assert (status, answer["error_description"]) == (400, "Invalid JWT Signature.")


def test_without_delegation_a_service_account_is_unauthorized(google: PlainClient, mailbox: SandboxMailbox) -> None:
    google.idp.faults.withdraw_delegation()

    status, answer = google.token(grant_type=JWT_BEARER, assertion=assertion(google, sub=mailbox.address))

    assert (status, answer["error"]) == (401, "unauthorized_client")
