"""What a provider's refusal means: the ``error`` of RFC 6749 decides, Microsoft's AADSTS codes refine it.

Microsoft warns against building on its codes alone (Entra docs, reference-error-codes), so a code that isn't listed
leaves the meaning of ``error`` as it is.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from mailaccounts.errors import (
    AdminApprovalNeeded,
    AuthorityUnknown,
    ClientLooping,
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
    SignInLocked,
    UserUnknownAtProvider,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_CLAIMS = 4096  # characters; they go into a URL

_ERRORS: Mapping[type[OAuthError], str] = {
    ConsentDeclined: "access_denied permission_denied",
    InteractionRequired: (
        "consent_required interaction_required login_required account_selection_required "
        "unmet_authentication_requirements"
    ),
    GrantRevoked: "invalid_grant",
    AdminApprovalNeeded: "admin_policy_enforced",
    ProviderUnavailable: "temporarily_unavailable server_error internal_failure",
    ProviderThrottled: (
        "slow_down rate_limit_exceeded rateLimitExceeded userRateLimitExceeded quotaExceeded dailyLimitExceeded "
        "RESOURCE_EXHAUSTED"
    ),
    ClientUnknown: "deleted_client disabled_client",
    ClientRefused: "invalid_client",
    RedirectUriUnknown: "redirect_uri_mismatch invalid_redirect_uri",
    ClientMisconfigured: (
        "unauthorized_client org_internal invalid_scope invalid_resource invalid_request invalid_target "
        "unsupported_grant_type unsupported_response_type request_not_supported"
    ),
}
BY_ERROR: Mapping[str, type[OAuthError]] = {
    error: meaning for meaning, errors in _ERRORS.items() for error in errors.split()
}
"""``error`` of RFC 6749 §4.1.2.1 and §5.2, OpenID Connect Core §3.1.2.6, RFC 8707, and what Google adds."""

_SUBERRORS: Mapping[type[OAuthError], str] = {
    InteractionRequired: (
        "basic_action additional_action consent_required user_password_expired device_authentication_failed "
        "invalid_rapt"
    ),
    AdminApprovalNeeded: "message_only protection_policy_required",
    GrantRevoked: "bad_token token_expired client_mismatch",
}
BY_SUBERROR: Mapping[str, type[OAuthError]] = {
    suberror: meaning for meaning, suberrors in _SUBERRORS.items() for suberror in suberrors.split()
}
"""What refines ``invalid_grant``: Entra's ``suberror`` (MSAL's classification) and Google's ``error_subtype``."""

_CODES: Mapping[type[OAuthError], str] = {
    ProviderUnavailable: "50033 50087 90006 90012 90024 90033 90090 90091 70012 40010 80001 80002",
    ProviderThrottled: "90055",
    ClientLooping: "50196",
    GrantRevoked: "70000 70008 700082 700084 70043 50173 50089 50132 50133 54005 50085",
    SignInLocked: "50053",
    # A password that ran out, MFA that has to be repeated: once done, the same grant may pass again.
    InteractionRequired: "50055 50144 50078 50072 50074 50076 50079 50097 50125 50158 53004 700020 65001",
    AdminApprovalNeeded: "50005 50131 53000 53001 53002 53003 53011 530032 530035 50105 90094 90095 90008 7000229",
    ConsentDeclined: "65004",
    AuthorityUnknown: "90002",
    ClientUnknown: "700016 70001",
    ClientRefused: "70002 7000218 700025",
    ClientSecretRefused: "7000215 700027",
    ClientSecretExpired: "7000222",
    RedirectUriUnknown: "50011",
    ClientMisconfigured: "7000112 70011 700022 28002 50194 500011 650052 650056 650057 501481 9001023 9002332",
    UserUnknownAtProvider: "50034 50057 51004 50020 50014 500208",
}
BY_CODE: Mapping[int, type[OAuthError]] = {
    int(code): meaning for meaning, codes in _CODES.items() for code in codes.split()
}
"""AADSTS numbers (Entra docs, reference-error-codes)."""


def refusal(
    answer: Mapping[str, object], *, label: str, app_only: bool = False, retry_after: float | None = None
) -> OAuthError:
    """The error an ``{"error": …}`` answer stands for. Nothing of the answer's text goes into what it says.

    ``app_only``: we asked in our own name, so there is no user who could sign in or whose grant could end.
    """
    meaning = _meaning(answer)
    if app_only:
        meaning = _without_user(meaning)
    if issubclass(meaning, InteractionRequired):
        return meaning(provider=label, claims=_claims(answer))
    if issubclass(meaning, ProviderUnavailable):
        return meaning(provider=label, retry_after=retry_after)
    return meaning(provider=label)


def _meaning(answer: Mapping[str, object]) -> type[OAuthError]:
    for code in _codes(answer):
        if code in BY_CODE:
            return BY_CODE[code]
    error = _error(answer)
    if error == "invalid_grant":
        suberror = str(answer.get("suberror") or answer.get("error_subtype"))
        return BY_SUBERROR.get(suberror, GrantRevoked)
    return BY_ERROR.get(error, ProviderUnavailable)


def _without_user(meaning: type[OAuthError]) -> type[OAuthError]:
    if issubclass(meaning, (InteractionRequired, ConsentDeclined)):
        return AdminApprovalNeeded
    return ClientMisconfigured if issubclass(meaning, GrantRevoked) else meaning


def _error(answer: Mapping[str, object]) -> str:
    """``error`` itself, or the reason within one in the shape of Google's APIs (``{"errors": [{"reason": …}]}``)."""
    error = answer.get("error")
    if not isinstance(error, dict):
        return str(error)
    reasons = error.get("errors")
    first = reasons[0] if isinstance(reasons, list) and reasons else None
    return str(first.get("reason") if isinstance(first, dict) else error.get("status"))


def _codes(answer: Mapping[str, object]) -> list[int]:
    """A token endpoint lists its codes; a redirect only has them in the description."""
    codes = answer.get("error_codes")
    if isinstance(codes, list):
        return [code for code in codes if isinstance(code, int)]
    return [int(code) for code in re.findall(r"AADSTS(\d{3,9})", str(answer.get("error_description", "")))]


def _claims(answer: Mapping[str, object]) -> str:
    """The claims challenge, which the next sign-in has to repeat (OpenID Connect Core §5.5); "" when there is none."""
    claims = answer.get("claims")
    try:
        usable = isinstance(claims, str) and len(claims) <= MAX_CLAIMS and isinstance(json.loads(claims), dict)
    except (ValueError, RecursionError):
        usable = False
    return str(claims) if usable else ""
