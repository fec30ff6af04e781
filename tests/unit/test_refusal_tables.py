"""Every row of Microsoft's and Google's tables has the remedy that the row calls for."""

from __future__ import annotations

import json

import pytest

from mailaccounts.errors import (
    AdminApprovalNeeded,
    ClientLooping,
    ClientMisconfigured,
    ClientSecretExpired,
    ConsentDeclined,
    GrantRevoked,
    InteractionRequired,
    OAuthError,
    ProviderThrottled,
    ProviderUnavailable,
    Remedy,
    SignInLocked,
    UserUnknownAtProvider,
)
from mailaccounts.oauth.refusals import BY_CODE, BY_ERROR, BY_SUBERROR, refusal

WAIT, RETRY, RECONNECT, ASK_ADMIN, OPERATOR = (
    Remedy.WAIT,
    Remedy.RETRY,
    Remedy.RECONNECT,
    Remedy.ASK_ADMIN,
    Remedy.OPERATOR,
)

# Entra docs, reference-error-codes: what passes, what a person does, what an administrator does, what we have to do.
ROWS: dict[str, tuple[type[OAuthError], Remedy, str]] = {
    "transient": (
        ProviderUnavailable,
        WAIT,
        "50033 50087 90006 90012 90024 90033 90090 90091 70012 40010 80001 80002",
    ),
    "throttled": (ProviderThrottled, WAIT, "90055"),
    "we run in circles": (ClientLooping, OPERATOR, "50196"),
    "sign in again": (
        GrantRevoked,
        RECONNECT,
        "70000 70008 700082 700084 70043 50173 50089 50078 50132 50133 50055 50144 54005 50085",
    ),
    "locked, or from a risky address": (SignInLocked, WAIT, "50053"),
    "MFA or policy": (InteractionRequired, RECONNECT, "50072 50074 50076 50079 50097 50125 50158 53004 700020"),
    "blocked by policy": (
        AdminApprovalNeeded,
        ASK_ADMIN,
        "50005 50131 53000 53001 53002 53003 53011 530032 530035 50105",
    ),
    "user consent": (InteractionRequired, RECONNECT, "65001"),
    "declined": (ConsentDeclined, RETRY, "65004"),
    "admin consent": (AdminApprovalNeeded, ASK_ADMIN, "90094 90095 90008"),
    "our configuration": (
        ClientMisconfigured,
        OPERATOR,
        "700016 7000215 7000222 7000218 70002 700025 700027 7000112 70001 70011 700022 28002 50011 50194 90002 500011 "
        "650052 650056 650057 501481 9001023 9002332",
    ),
    "account gone, or of another tenant": (
        UserUnknownAtProvider,
        RECONNECT,
        "50034 50057 51004 50020 50014 500208",
    ),
}


@pytest.mark.parametrize(
    ("code", "meaning", "remedy"),
    [
        pytest.param(int(code), meaning, remedy, id=f"{row}-{code}")
        for row, (meaning, remedy, codes) in ROWS.items()
        for code in codes.split()
    ],
)
def test_a_code_has_the_remedy_of_its_row(code: int, meaning: type[OAuthError], remedy: Remedy) -> None:
    """Whatever ``error`` it comes with, at the token endpoint as in a redirect."""
    for error in ("invalid_grant", "interaction_required", "invalid_request"):
        for told in ({"error_codes": [code]}, {"error_description": f"AADSTS{code}: text"}):
            found = refusal({"error": error, **told}, label="Microsoft")
            assert isinstance(found, meaning)
            assert found.remedy is remedy


@pytest.mark.parametrize("code", [50078, 50055, 50144])
def test_a_grant_stays_that_may_pass_again_once_a_password_or_second_factor_is_renewed(code: int) -> None:
    assert isinstance(refusal({"error": "invalid_grant", "error_codes": [code]}, label="x"), InteractionRequired)


def test_no_code_is_known_beyond_the_tables() -> None:
    listed = {int(code) for _, _, codes in ROWS.values() for code in codes.split()}
    assert set(BY_CODE) - listed == {7000229}  # the tenant has no such application: its administrator has to add it


@pytest.mark.parametrize(
    ("error", "meaning", "remedy"),
    [
        ("temporarily_unavailable", ProviderUnavailable, WAIT),
        ("server_error", ProviderUnavailable, WAIT),
        ("internal_failure", ProviderUnavailable, WAIT),
        ("slow_down", ProviderThrottled, WAIT),
        ("rate_limit_exceeded", ProviderThrottled, WAIT),
        ("invalid_grant", GrantRevoked, RECONNECT),
        ("interaction_required", InteractionRequired, RECONNECT),
        ("login_required", InteractionRequired, RECONNECT),
        ("consent_required", InteractionRequired, RECONNECT),
        ("access_denied", ConsentDeclined, RETRY),
        ("permission_denied", ConsentDeclined, RETRY),
        ("admin_policy_enforced", AdminApprovalNeeded, ASK_ADMIN),
        ("invalid_client", ClientMisconfigured, OPERATOR),
        ("deleted_client", ClientMisconfigured, OPERATOR),
        ("unauthorized_client", ClientMisconfigured, OPERATOR),
        ("invalid_scope", ClientMisconfigured, OPERATOR),
        ("invalid_resource", ClientMisconfigured, OPERATOR),
        ("invalid_request", ClientMisconfigured, OPERATOR),
        ("something_else", ProviderUnavailable, WAIT),
    ],
)
def test_an_error_without_a_code_has_the_remedy_of_its_row(
    error: str, meaning: type[OAuthError], remedy: Remedy
) -> None:
    found = refusal({"error": error}, label="Example")
    assert isinstance(found, meaning)
    assert found.remedy is remedy


@pytest.mark.parametrize(
    ("refined", "remedy"),
    [
        *[({"suberror": name}, RECONNECT) for name in ("basic_action", "additional_action", "consent_required")],
        *[({"suberror": name}, RECONNECT) for name in ("user_password_expired", "device_authentication_failed")],
        *[({"suberror": name}, RECONNECT) for name in ("bad_token", "token_expired", "client_mismatch")],
        *[({"suberror": name}, ASK_ADMIN) for name in ("message_only", "protection_policy_required")],
        ({"error_subtype": "invalid_rapt"}, RECONNECT),  # Google's session control
        ({"suberror": "unheard_of"}, RECONNECT),
    ],
)
def test_a_suberror_refines_a_dead_grant(refined: dict[str, str], remedy: Remedy) -> None:
    assert refusal({"error": "invalid_grant", **refined}, label="Example").remedy is remedy


@pytest.mark.parametrize("suberror", ["bad_token", "token_expired", "client_mismatch"])
def test_a_dead_refresh_token_ends_the_grant(suberror: str) -> None:
    assert type(refusal({"error": "invalid_grant", "suberror": suberror}, label="Example")) is GrantRevoked


@pytest.mark.parametrize("meaning", sorted({*BY_ERROR.values(), *BY_SUBERROR.values()}, key=lambda each: each.code))
def test_every_meaning_has_a_sentence_that_can_be_said(meaning: type[OAuthError]) -> None:
    assert meaning(provider="Example").message


# --- what comes with it ----------------------------------------------------------------------------------------


def test_an_expired_secret_is_an_alarm_of_its_own() -> None:
    found = refusal({"error": "invalid_client", "error_codes": [7000222]}, label="Microsoft")
    assert type(found) is ClientSecretExpired
    assert found.code == "client_secret_expired"


def test_whoever_runs_in_circles_stays_away_for_an_hour() -> None:
    found = refusal({"error": "invalid_grant", "error_codes": [50196]}, label="Microsoft")
    assert getattr(found, "retry_after", None) == 3600


def test_a_locked_sign_in_is_told_in_words() -> None:
    message = refusal({"error": "invalid_grant", "error_codes": [50053]}, label="Microsoft").message
    assert message.startswith("Microsoft has locked this sign-in for a while")


def test_a_wait_that_is_asked_for_is_kept() -> None:
    found = refusal({"error": "temporarily_unavailable"}, label="Example", retry_after=30)
    assert isinstance(found, ProviderUnavailable)
    assert found.retry_after == 30


CLAIMS = json.dumps({"access_token": {"capolids": {"essential": True, "values": ["c1"]}}})


@pytest.mark.parametrize(
    ("claims", "kept"),
    [
        (CLAIMS, CLAIMS),
        *[(odd, "") for odd in ("", "no json", "[]", "5", None, {"a": 1}, "{" * 9, json.dumps({"a": "b" * 5000}))],
    ],
)
def test_claims_are_kept_for_the_next_sign_in_if_they_are_such(claims: object, kept: str) -> None:
    answer = {"error": "interaction_required", "error_codes": [50076], "claims": claims}
    found = refusal(answer, label="Microsoft")
    assert isinstance(found, InteractionRequired)
    assert found.claims == kept
    assert "capolids" not in f"{found} {found!r} {found.as_json()}"


# --- in our own name -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        ({"error": "invalid_grant", "error_codes": [65001]}, AdminApprovalNeeded),
        ({"error": "invalid_grant", "suberror": "consent_required"}, AdminApprovalNeeded),
        ({"error": "interaction_required"}, AdminApprovalNeeded),
        ({"error": "access_denied"}, AdminApprovalNeeded),
        ({"error": "unauthorized_client", "error_codes": [7000229]}, AdminApprovalNeeded),
        ({"error": "invalid_grant"}, ClientMisconfigured),
        ({"error": "invalid_client", "error_codes": [7000222]}, ClientSecretExpired),
        ({"error": "temporarily_unavailable"}, ProviderUnavailable),
    ],
)
def test_without_a_user_nobody_can_sign_in_again(answer: dict[str, object], meaning: type[OAuthError]) -> None:
    found = refusal(answer, label="Example", app_only=True)
    assert isinstance(found, meaning)
    assert not isinstance(found, GrantRevoked)
