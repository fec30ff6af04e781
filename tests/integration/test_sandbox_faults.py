"""Each fault switch of the identity provider has the effect its name says, and ends with reset."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import jwt
import msal
import msal.exceptions
import pytest
import requests

from tests.integration.sandbox_clients import Bearer, imap_connection, msal_app, refresh, sign_in

if TYPE_CHECKING:
    from mailaccounts.testing.sandbox.provider import IdentityProvider
    from tests.sandbox_fixtures import SandboxMailbox

DEFAULT_SCOPE = ["https://outlook.office365.com/.default"]


@pytest.fixture
def app(idp: IdentityProvider, mailbox: SandboxMailbox) -> msal.ConfidentialClientApplication:
    """MSAL with a grant in its cache."""
    app = msal_app(idp)
    sign_in(app, idp, mailbox.user)
    return app


def test_refused_refreshes_are_invalid_grant_as_often_as_asked_for(
    idp: IdentityProvider, app: msal.ConfidentialClientApplication
) -> None:
    idp.faults.refuse("invalid_grant", code=50173, times=1)

    refused, granted = refresh(app), refresh(msal_app_like(app, idp))

    assert (refused["error"], refused["error_codes"]) == ("invalid_grant", [50173])
    assert granted["access_token"]


def test_a_suberror_comes_along(idp: IdentityProvider, app: msal.ConfidentialClientApplication) -> None:
    idp.faults.refuse("interaction_required", code=50076, suberror="basic_action")

    assert refresh(app)["classification"] == "basic_action"


def test_expired_access_tokens_are_replaced_by_a_refresh(
    idp: IdentityProvider, mailbox: SandboxMailbox, app: msal.ConfidentialClientApplication
) -> None:
    token = refresh(app)["access_token"]

    assert idp.faults.expire_access_tokens(mailbox.address) == 1

    assert not opens_imap(mailbox, token)
    assert opens_imap(mailbox, refresh(app)["access_token"])


def test_revoked_grants_open_nothing_and_refresh_nothing(
    idp: IdentityProvider, mailbox: SandboxMailbox, app: msal.ConfidentialClientApplication
) -> None:
    token = refresh(app)["access_token"]

    assert idp.faults.revoke(mailbox.address) == 1

    assert not opens_imap(mailbox, token)
    assert refresh(app)["error"] == "invalid_grant"


def test_throttling_says_when_to_come_back(idp: IdentityProvider) -> None:
    idp.faults.throttle(retry_after=7)

    answer = idp.session().post(f"{idp.authority}/{idp.tenant}/oauth2/v2.0/token")

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")


def test_server_errors_reach_msal_as_such(idp: IdentityProvider) -> None:
    idp.faults.fail(status=503, times=2)  # MSAL tries once more

    with pytest.raises(msal.exceptions.MsalServiceError):
        msal_app(idp).acquire_token_for_client(DEFAULT_SCOPE)


def test_a_fault_can_be_at_another_endpoint(idp: IdentityProvider) -> None:
    idp.faults.fail(status=500, endpoint="discovery")

    assert idp.session().get(idp.discovery_url).status_code == 500
    assert idp.session().get(idp.discovery_url).status_code == 200


def test_slow_answers_come_late(idp: IdentityProvider) -> None:
    idp.faults.slow(8, endpoint="keys")
    keys = f"{idp.authority}/{idp.tenant}/discovery/v2.0/keys"

    with pytest.raises(requests.ReadTimeout):
        idp.session().get(keys, timeout=0.5)
    started = time.monotonic()
    assert idp.session().get(keys, timeout=30).status_code == 200
    assert time.monotonic() - started < 8


@pytest.mark.parametrize("skew", [7200, -7200])
def test_a_skewed_clock_shows_in_id_tokens(idp: IdentityProvider, mailbox: SandboxMailbox, skew: int) -> None:
    idp.faults.skew_clock(skew)

    claims = claims_of(idp, mailbox)

    assert abs(claims["iat"] - time.time() - skew) < 60
    assert abs(claims["exp"] - time.time() - skew - 3600) < 60


@pytest.mark.parametrize("claim", ["aud", "iss", "tid", "oid"])
def test_claims_of_id_tokens_can_be_falsified(idp: IdentityProvider, mailbox: SandboxMailbox, claim: str) -> None:
    idp.faults.falsify_id_tokens(**{claim: "falsified"})

    assert claims_of(idp, mailbox)[claim] == "falsified"


def test_a_wrong_nonce_is_noticed_by_msal(idp: IdentityProvider, mailbox: SandboxMailbox) -> None:
    idp.faults.falsify_id_tokens(nonce="wrong")

    with pytest.raises(RuntimeError, match="nonce"):
        sign_in(msal_app(idp), idp, mailbox.user)


def test_access_tokens_can_be_short_lived(idp: IdentityProvider, mailbox: SandboxMailbox) -> None:
    idp.faults.shorten_tokens(1)

    result = sign_in(msal_app(idp), idp, mailbox.user)

    assert result["expires_in"] == 1


def test_withheld_scopes_are_not_granted(idp: IdentityProvider, mailbox: SandboxMailbox) -> None:
    idp.faults.withhold_scopes("SMTP.Send")

    scopes = sign_in(msal_app(idp), idp, mailbox.user)["scope"].split()

    assert any(scope.endswith("IMAP.AccessAsUser.All") for scope in scopes)
    assert not any(scope.endswith("SMTP.Send") for scope in scopes)


def test_reset_ends_every_fault(idp: IdentityProvider, mailbox: SandboxMailbox) -> None:
    idp.faults.fail(times=-1, endpoint="*")
    idp.faults.falsify_id_tokens(nonce="wrong")
    idp.faults.skew_clock(3600)

    idp.faults.reset()

    assert sign_in(msal_app(idp), idp, mailbox.user)["access_token"]


def test_the_switches_are_for_those_with_the_token(idp: IdentityProvider) -> None:
    for headers in ({}, {"Authorization": "Bearer guessed"}):
        answer = idp.session().post(f"{idp.authority}/control/revoke", json={}, headers=headers)
        assert answer.status_code == 401


def opens_imap(mailbox: SandboxMailbox, token: str) -> bool:
    sandbox = mailbox.sandbox
    with imap_connection(sandbox.imap, sandbox.ca_file) as imap:
        try:
            imap.authenticate("XOAUTH2", Bearer(mailbox.address, token))
        except imap.error:
            return False
        return imap.select()[0] == "OK"


def claims_of(idp: IdentityProvider, mailbox: SandboxMailbox) -> dict[str, int]:
    token = sign_in(msal_app(idp), idp, mailbox.user)["id_token"]
    claims: dict[str, int] = jwt.decode(token, options={"verify_signature": False})
    return claims


def msal_app_like(
    app: msal.ConfidentialClientApplication, idp: IdentityProvider
) -> msal.ConfidentialClientApplication:
    """The same grant without MSAL's memory of the last answer, which it would repeat for a minute."""
    other = msal_app(idp)
    other.token_cache = app.token_cache
    return other
