"""Microsoft beyond people's consent: a tenant's administrator, our own tokens, certificates, national clouds."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from mailaccounts.errors import (
    AdminApprovalNeeded,
    ClientMisconfigured,
    ClientSecretExpired,
    ConsentDeclined,
    GrantRevoked,
    IdTokenInvalid,
    OAuthError,
)
from mailaccounts.oauth.discovery import documents
from mailaccounts.oauth.microsoft import MicrosoftProvider, roles
from mailaccounts.oauth.provider import AdminConsentProvider, AppOnlyProvider
from mailaccounts.oauth.types import ClientRegistration, ConsentRequest
from tests.unit.keys import certificate_pem, private_pem, rsa_key
from tests.unit.test_openid import METADATA, Wire

TENANT = "11111111-1111-4111-8111-111111111111"
BASE = "https://login.microsoftonline.com"
TOKEN = {"access_token": "t0ken", "expires_in": 3599, "token_type": "Bearer"}


@pytest.fixture
def wire() -> Wire:
    documents.forget()
    wire = Wire()
    wire.metadata = {**METADATA, "issuer": f"{BASE}/{TENANT}/v2.0"}
    wire.answer = (200, TOKEN, {})
    return wire


def made(wire: Wire, authority: str = BASE, tenant: str = TENANT, **changes: Any) -> MicrosoftProvider:
    registration = {"client_id": "the-client", "client_secret": "s3cret", "authority": authority, **changes}
    provider = MicrosoftProvider(ClientRegistration(tenant=tenant, **registration))
    provider._transport = wire  # type: ignore[assignment]  # the door to the network
    return provider


# --- in our own name -------------------------------------------------------------------------------------------


def test_a_token_of_our_own_is_for_everything_an_administrator_allowed(wire: Wire) -> None:
    provider = made(wire)
    state = provider.app_only(tenant=TENANT)
    issued = provider.refresh(state)
    assert (issued.state, issued.token.value, issued.identity) == (state, "t0ken", None)
    assert wire.form["grant_type"] == "client_credentials"
    assert wire.form["scope"] == "https://outlook.office365.com/.default"
    assert wire.form["client_secret"] == "s3cret"


def test_every_refresh_asks_anew(wire: Wire) -> None:
    """Nothing is answered from a cache: a token is renewed because it was refused."""
    provider = made(wire)
    for _ in range(2):
        provider.refresh(provider.app_only())
    assert len(wire.sent) == 2


@pytest.mark.parametrize("registered_for", ["common", "organizations", TENANT])
@pytest.mark.parametrize("named", ["contoso.example", TENANT])
def test_it_is_asked_for_at_the_tenant_itself_by_its_id(wire: Wire, registered_for: str, named: str) -> None:
    """At a shared one Entra refuses it (AADSTS9001023); and a tenant has several names, but one grant."""
    provider = made(wire, tenant=registered_for)
    state = provider.app_only(tenant=named)
    documents.forget()
    wire.asked.clear()
    provider.refresh(state)
    assert wire.asked == [f"{BASE}/{TENANT}/v2.0/.well-known/openid-configuration"]
    who = provider.principal(state)
    assert (who.issuer, who.subject, who.tenant) == (f"{BASE}/{TENANT}/v2.0", "the-client", TENANT)


@pytest.mark.parametrize("tenant", ["common", "organizations", "Consumers", "a/b", "a?b", " ", "../x"])
def test_what_is_no_tenant_has_no_tokens(wire: Wire, tenant: str) -> None:
    with pytest.raises(ClientMisconfigured):
        made(wire, tenant="common").app_only(tenant=tenant)


def test_the_roles_of_a_token_are_told_where_it_can_be_read(wire: Wire) -> None:
    named = jwt.encode({"roles": ["IMAP.AccessAsApp", "SMTP.SendAsApp", 5]}, rsa_key(), "RS256")
    wire.answer = (200, {**TOKEN, "access_token": named}, {})
    provider = made(wire)
    assert provider.refresh(provider.app_only()).scopes == {"IMAP.AccessAsApp", "SMTP.SendAsApp"}


@pytest.mark.parametrize("claims", [{}, {"roles": "IMAP.AccessAsApp"}, {"roles": None}])
def test_a_token_may_have_no_roles_and_still_be_one(wire: Wire, claims: dict[str, Any]) -> None:
    """Exchange's own roles may open mailboxes (Entra docs, v2-oauth2-client-creds-grant-flow)."""
    wire.answer = (200, {**TOKEN, "access_token": jwt.encode(claims, rsa_key(), "RS256")}, {})
    provider = made(wire)
    assert provider.refresh(provider.app_only()).scopes == frozenset()


def test_an_opaque_token_has_no_roles_to_read(wire: Wire) -> None:
    provider = made(wire)
    assert roles(provider.refresh(provider.app_only()).token) == frozenset()


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        ({"error": "invalid_grant", "error_codes": [65001]}, AdminApprovalNeeded),
        ({"error": "unauthorized_client", "error_codes": [7000229]}, AdminApprovalNeeded),
        ({"error": "invalid_client", "error_codes": [7000222]}, ClientSecretExpired),
        ({"error": "invalid_request", "error_codes": [9001023]}, ClientMisconfigured),
        ({"error": "invalid_grant"}, ClientMisconfigured),
    ],
)
def test_a_refusal_is_the_administrators_business_or_ours(
    wire: Wire, answer: dict[str, Any], meaning: type[OAuthError]
) -> None:
    wire.answer = (400, answer, {})
    provider = made(wire)
    with pytest.raises(meaning) as caught:
        provider.refresh(provider.app_only())
    assert not isinstance(caught.value, GrantRevoked)


def test_there_is_nothing_to_give_back(wire: Wire) -> None:
    provider = made(wire)
    assert not provider.revoke(provider.app_only())
    assert wire.sent == []


# --- certificates ----------------------------------------------------------------------------------------------


def test_a_certificate_proves_who_we_are_and_its_key_stays_here(wire: Wire) -> None:
    pem = certificate_pem() + private_pem()
    provider = made(wire, client_secret=pem, proof="certificate")
    provider.refresh(provider.app_only())
    assert wire.form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    claims = jwt.decode(
        wire.form["client_assertion"], rsa_key().public_key(), ["PS256"], audience=METADATA["token_endpoint"]
    )
    assert (claims["iss"], claims["sub"]) == ("the-client", "the-client")
    assert 0 < claims["exp"] - time.time() <= 600
    assert "x5t#S256" in jwt.get_unverified_header(wire.form["client_assertion"])
    assert "client_secret" not in wire.form
    assert "PRIVATE" not in str(wire.sent[-1].body)


def test_a_revocation_is_proven_the_same_way(wire: Wire) -> None:
    provider = made(wire, client_secret=private_pem() + certificate_pem(), proof="certificate")
    provider._give_back(METADATA["revocation_endpoint"], "old")
    assert wire.form["token"] == "old"
    assert wire.form["client_assertion"]
    assert "PRIVATE" not in str(wire.sent[-1].body)


@pytest.mark.parametrize(("secret", "proof"), [("s3cret", "certificate"), ("{}", "service_account")])
def test_what_proves_nothing_is_our_mistake(wire: Wire, secret: str, proof: str) -> None:
    provider = made(wire, client_secret=secret, proof=proof)
    with pytest.raises(ClientMisconfigured):
        provider.refresh(provider.app_only())
    assert wire.sent == []


def test_a_certificate_that_ended_has_its_own_alarm(wire: Wire) -> None:
    provider = made(wire, client_secret=private_pem() + certificate_pem(days=-1), proof="certificate")
    with pytest.raises(ClientSecretExpired):
        provider.refresh(provider.app_only())


# --- an administrator's consent --------------------------------------------------------------------------------


@pytest.mark.parametrize("tenant", ["organizations", TENANT])
def test_an_administrator_is_sent_to_consent_for_the_tenant(wire: Wire, tenant: str) -> None:
    request = ConsentRequest(redirect_uri="https://crm.test/back/", scopes=())
    url = urlsplit(made(wire, tenant="common").admin_consent_url(request, tenant=tenant, state="st4te"))
    asked = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{BASE}/{tenant}/v2.0/adminconsent"
    assert asked == {
        "client_id": "the-client",
        "redirect_uri": "https://crm.test/back/",
        "state": "st4te",
        "scope": "https://outlook.office365.com/.default",
    }


def test_the_answer_claims_a_tenant(wire: Wire) -> None:
    assert made(wire).read_admin_consent({"admin_consent": "True", "tenant": TENANT, "state": "x"}) == TENANT


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"admin_consent": "True", "error": "access_denied", "tenant": TENANT}, ConsentDeclined),
        (
            {"admin_consent": "True", "error": "consent_required", "error_description": "AADSTS65004: declined"},
            ConsentDeclined,
        ),
        ({"error": "permission_denied"}, ConsentDeclined),
        ({"tenant": TENANT}, IdTokenInvalid),
        ({"admin_consent": "False", "tenant": TENANT}, IdTokenInvalid),
        ({"admin_consent": "True"}, IdTokenInvalid),
        ({"admin_consent": "True", "tenant": "a/b"}, IdTokenInvalid),
        ({}, IdTokenInvalid),
    ],
)
def test_any_other_answer_is_none(wire: Wire, params: dict[str, str], error: type[OAuthError]) -> None:
    with pytest.raises(error):
        made(wire).read_admin_consent(params)


def test_it_is_what_the_protocols_say(wire: Wire) -> None:
    assert isinstance(made(wire), AdminConsentProvider)
    assert isinstance(made(wire), AppOnlyProvider)


# --- national clouds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("authority", "delegated", "own"),
    [
        (BASE, "https://outlook.office.com", "https://outlook.office365.com"),
        ("https://login.microsoftonline.us", "https://outlook.office365.us", "https://outlook.office365.us"),
        ("https://login.partner.microsoftonline.cn", "https://partner.outlook.cn", "https://partner.outlook.cn"),
        ("https://login.chinacloudapi.cn", "https://partner.outlook.cn", "https://partner.outlook.cn"),
    ],
)
def test_each_cloud_has_its_own_exchange(wire: Wire, authority: str, delegated: str, own: str) -> None:
    provider = made(wire, authority)
    read, send, keep = provider.scopes
    assert (read.name, send.name) == (f"{delegated}/IMAP.AccessAsUser.All", f"{delegated}/SMTP.Send")
    assert (read.sends, send.sends, keep.name) == (False, True, "offline_access")
    provider.refresh(provider.app_only())
    assert wire.form["scope"] == f"{own}/.default"


def test_an_administrator_may_name_the_scopes_of_a_cloud_we_do_not_know(wire: Wire) -> None:
    named = ("https://webmail.apps.mil/IMAP.AccessAsUser.All", "https://webmail.apps.mil/SMTP.Send", "offline_access")
    provider = made(wire, scopes=named)
    assert tuple(scope.name for scope in provider.scopes) == named
    assert [scope.sends for scope in provider.scopes] == [False, True, False]


def test_the_environment_does_not_choose_a_region(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSAL_FORCE_REGION", "westus3")
    provider = made(wire)
    provider.refresh(provider.app_only())
    assert [urlsplit(url).hostname for url in wire.asked] == ["login.microsoftonline.com"]


def test_claims_that_a_refusal_wanted_are_passed_on(wire: Wire) -> None:
    """Conditional Access: the next sign-in has to ask for what the last token lacked, and so has its code."""
    claims = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'
    provider = made(wire)
    request = ConsentRequest(redirect_uri="https://crm.test/", scopes=(provider.scopes[0].name,), claims=claims)
    authorization = provider.begin(request)
    asked = parse_qs(urlsplit(authorization.url).query)
    assert json.loads(asked["claims"][0]) == json.loads(claims)
    provider._redeem(authorization.flow, {"state": authorization.state, "code": "c0de"})
    assert json.loads(wire.form["claims"]) == json.loads(claims)
