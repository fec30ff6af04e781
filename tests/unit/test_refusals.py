"""What a provider's refusal means, and that nothing it says gets into our words."""

from __future__ import annotations

from typing import Any

import pytest

from mailaccounts.errors import (
    AdminApprovalNeeded,
    AuthorityUnknown,
    ClientMisconfigured,
    ClientRefused,
    ClientSecretExpired,
    ClientSecretRefused,
    ClientUnknown,
    ConsentDeclined,
    GrantRevoked,
    InteractionRequired,
    OAuthError,
    ProviderThrottled,
    ProviderUnavailable,
    RedirectUriUnknown,
    UserUnknownAtProvider,
)
from mailaccounts.oauth.refusals import BY_CODE, refusal


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        ({"error": "access_denied"}, ConsentDeclined),
        ({"error": "invalid_grant"}, GrantRevoked),
        ({"error": "invalid_grant", "error_codes": [700082]}, GrantRevoked),
        ({"error": "invalid_grant", "error_codes": [50076]}, InteractionRequired),
        ({"error": "invalid_grant", "suberror": "consent_required"}, InteractionRequired),
        ({"error": "invalid_grant", "error_codes": [53003]}, AdminApprovalNeeded),
        ({"error": "invalid_grant", "error_codes": [90033]}, ProviderUnavailable),
        ({"error": "invalid_grant", "error_codes": [50034]}, UserUnknownAtProvider),
        ({"error": "interaction_required"}, InteractionRequired),
        ({"error": "login_required"}, InteractionRequired),
        ({"error": "consent_required"}, InteractionRequired),
        ({"error": "invalid_client", "error_codes": [7000222]}, ClientSecretExpired),
        ({"error": "invalid_client", "error_codes": [7000215]}, ClientSecretRefused),
        ({"error": "invalid_client"}, ClientRefused),
        ({"error": "unauthorized_client", "error_codes": [700016]}, ClientUnknown),
        ({"error": "invalid_request", "error_description": "AADSTS50011: no such"}, RedirectUriUnknown),
        ({"error": "redirect_uri_mismatch"}, RedirectUriUnknown),
        ({"error": "invalid_tenant", "error_codes": [90002]}, AuthorityUnknown),
        ({"error": "unauthorized_client"}, ClientMisconfigured),
        ({"error": "invalid_scope"}, ClientMisconfigured),
        ({"error": "invalid_resource"}, ClientMisconfigured),
        ({"error": "invalid_request"}, ClientMisconfigured),
        ({"error": "invalid_request", "error_codes": [90055]}, ProviderThrottled),
        ({"error": "temporarily_unavailable"}, ProviderUnavailable),
        ({"error": "server_error"}, ProviderUnavailable),
        ({"error": "access_denied", "error_description": "AADSTS65004: declined"}, ConsentDeclined),
        ({"error": "access_denied", "error_description": "AADSTS90094: admin"}, AdminApprovalNeeded),
        ({"error": "never_heard_of"}, ProviderUnavailable),
        ({"error": None}, ProviderUnavailable),
        ({"error": ["odd"], "error_codes": "odd"}, ProviderUnavailable),
        ({"error": "invalid_grant", "error_codes": [123456789, "x", None]}, GrantRevoked),
    ],
)
def test_each_refusal_has_one_meaning(answer: dict[str, Any], meaning: type[OAuthError]) -> None:
    assert type(refusal(answer, label="Example")) is meaning


def test_a_refusal_speaks_our_words_only() -> None:
    said = "AADSTS50034: <b>anna@example.test</b> t0ken"
    error = refusal({"error": "invalid_grant", "error_description": said, "claims": "t0ken"}, label="Example")
    assert "t0ken" not in f"{error} {error!r} {error.as_json()}"
    assert "Example" in error.message


@pytest.mark.parametrize("meaning", sorted(set(BY_CODE.values()), key=lambda each: each.code))
def test_every_meaning_has_a_sentence_that_can_be_said(meaning: type[OAuthError]) -> None:
    assert meaning(provider="Example").message
