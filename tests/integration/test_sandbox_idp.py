"""The sandbox's identity provider, through unmodified MSAL and by hand."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest

from mailaccounts.testing.sandbox import SandboxUser
from mailaccounts.testing.sandbox.registrations import KeyPair
from tests.integration.plain_oauth import introspected
from tests.integration.sandbox_clients import REDIRECT_URI, SCOPES, VERIFIER, authorize_url, msal_app, refresh, sign_in

if TYPE_CHECKING:
    from mailaccounts.testing.sandbox.provider import IdentityProvider
    from tests.sandbox_fixtures import SandboxMailbox

DEFAULT_SCOPE = ["https://outlook.office365.com/.default"]


def token_request(idp: IdentityProvider, **fields: str) -> tuple[int, dict[str, Any]]:
    client = {"client_id": idp.client_id, "client_secret": idp.client_secret}
    answer = idp.session().post(f"{idp.authority}/{idp.tenant}/oauth2/v2.0/token", data={**client, **fields})
    return answer.status_code, answer.json()


def test_msal_signs_a_person_in_and_gets_a_signed_id_token(idp: IdentityProvider, mailbox: SandboxMailbox) -> None:
    app = msal_app(idp)

    result = sign_in(app, idp, mailbox.user)

    assert set(SCOPES) <= set(result["scope"].split())
    assert result["refresh_token"]
    keys = jwt.PyJWKSet.from_dict(idp.session().get(f"{idp.authority}/{idp.tenant}/discovery/v2.0/keys").json())
    header = jwt.get_unverified_header(result["id_token"])
    claims = jwt.decode(
        result["id_token"], keys[header["kid"]].key, algorithms=["RS256"], audience=idp.client_id, issuer=idp.issuer
    )
    assert claims["preferred_username"] == claims["email"] == mailbox.address
    assert claims["tid"] == idp.tenant
    (account,) = app.get_accounts()
    assert account["home_account_id"] == f"{claims['oid']}.{idp.tenant}"


def test_discovery_names_the_issuer_of_the_tenant(idp: IdentityProvider) -> None:
    document = idp.session().get(idp.discovery_url).json()

    assert document["issuer"] == idp.issuer
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["token_endpoint"] == f"{idp.authority}/{idp.tenant}/oauth2/v2.0/token"


def test_an_unknown_tenant_is_refused(idp: IdentityProvider) -> None:
    answer = idp.session().get(f"{idp.authority}/elsewhere.example/v2.0/.well-known/openid-configuration")

    assert answer.status_code == 400
    assert answer.json()["error_codes"] == [90002]


def test_every_refresh_rotates_the_refresh_token(idp: IdentityProvider, mailbox: SandboxMailbox) -> None:
    app = msal_app(idp)
    first = sign_in(app, idp, mailbox.user)

    second = refresh(app)
    third = refresh(app)

    assert len({first["access_token"], second["access_token"], third["access_token"]}) == 3


def test_a_refresh_token_used_twice_ends_its_whole_family(idp: IdentityProvider, mailbox: SandboxMailbox) -> None:
    first = sign_in(msal_app(idp), idp, mailbox.user)["refresh_token"]
    _, answer = token_request(idp, grant_type="refresh_token", refresh_token=first, scope=SCOPES[0])

    reused, error = token_request(idp, grant_type="refresh_token", refresh_token=first, scope=SCOPES[0])
    successor, _ = token_request(
        idp, grant_type="refresh_token", refresh_token=answer["refresh_token"], scope=SCOPES[0]
    )

    assert (reused, error["error"]) == (400, "invalid_grant")
    assert successor == 400
    assert not introspected(idp, answer["access_token"])["active"]


def test_of_two_refreshes_at_the_same_moment_one_is_refused(idp: IdentityProvider, mailbox: SandboxMailbox) -> None:
    grant = sign_in(msal_app(idp), idp, mailbox.user)["refresh_token"]

    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(lambda _: token_request(idp, grant_type="refresh_token", refresh_token=grant), range(2))

    assert sorted(status for status, _ in answers) == [200, 400]


def test_a_refresh_for_a_scope_nobody_consented_to_asks_for_consent(
    idp: IdentityProvider, mailbox: SandboxMailbox
) -> None:
    grant = sign_in(msal_app(idp), idp, mailbox.user)["refresh_token"]

    status, error = token_request(
        idp,
        grant_type="refresh_token",
        refresh_token=grant,
        scope="https://outlook.office.com/POP.AccessAsUser.All",
    )

    assert (status, error["error"], error["suberror"]) == (400, "invalid_grant", "consent_required")


def test_without_offline_access_there_is_no_refresh_token(idp: IdentityProvider, mailbox: SandboxMailbox) -> None:
    params = idp.person(mailbox.user).consent(authorize_url(idp, scope=f"openid {SCOPES[0]}"))

    _, answer = token_request(
        idp,
        grant_type="authorization_code",
        code=params["code"],
        redirect_uri=REDIRECT_URI,
        code_verifier=VERIFIER,
    )

    assert answer["access_token"]
    assert "refresh_token" not in answer


def test_an_application_gets_a_token_for_the_whole_tenant(idp: IdentityProvider) -> None:
    result = msal_app(idp).acquire_token_for_client(DEFAULT_SCOPE)

    assert introspected(idp, result["access_token"])["roles"]
    assert "refresh_token" not in result


def test_an_application_may_prove_itself_with_a_certificate(idp: IdentityProvider) -> None:
    key, _, certificate = idp.certificate_registration.client_secret.partition("-----BEGIN CERTIFICATE")
    credential = {"private_key": key, "public_certificate": f"-----BEGIN CERTIFICATE{certificate}"}

    result = msal_app(idp, secret=credential).acquire_token_for_client(DEFAULT_SCOPE)

    assert introspected(idp, result["access_token"])["active"]


def test_another_certificate_is_the_clients_fault(idp: IdentityProvider) -> None:
    other = KeyPair.make("Somebody else")
    credential = {"private_key": other.private, "public_certificate": other.certificate}

    result = msal_app(idp, secret=credential).acquire_token_for_client(DEFAULT_SCOPE)

    assert (result["error"], result["error_codes"]) == ("invalid_client", [700027])


def test_an_application_token_tells_its_roles_and_works_for_those_only(idp: IdentityProvider) -> None:
    idp.faults.withhold_scopes("SMTP.SendAsApp")

    token = msal_app(idp).acquire_token_for_client(DEFAULT_SCOPE)["access_token"]

    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["tid"], claims["appid"]) == (idp.tenant, idp.client_id)
    assert claims["roles"] == ["IMAP.AccessAsApp", "POP.AccessAsApp"]
    assert introspected(idp, token, protocol="imap")["active"]
    assert not introspected(idp, token, protocol="smtp")["active"]


def test_an_application_token_may_have_no_roles_at_all(idp: IdentityProvider) -> None:
    idp.faults.withhold_scopes("AsApp")

    token = msal_app(idp).acquire_token_for_client(DEFAULT_SCOPE)["access_token"]

    assert "roles" not in jwt.decode(token, options={"verify_signature": False})
    assert not introspected(idp, token)["active"]


def test_an_application_token_needs_a_tenant_of_its_own(idp: IdentityProvider) -> None:
    result = msal_app(idp, tenant="common").acquire_token_for_client(DEFAULT_SCOPE)

    assert result["error_codes"] == [9001023]


def test_a_wrong_client_secret_is_the_clients_fault(idp: IdentityProvider) -> None:
    result = msal_app(idp, secret="not-the-secret").acquire_token_for_client(
        ["https://outlook.office365.com/.default"]
    )

    assert result["error"] == "invalid_client"
    assert result["error_codes"] == [7000215]
    assert result["error_description"].startswith("AADSTS7000215: ")
    assert {"trace_id", "correlation_id", "timestamp"} <= set(result)


def test_a_code_works_once(idp: IdentityProvider, mailbox: SandboxMailbox) -> None:
    params = idp.person(mailbox.user).consent(authorize_url(idp))
    exchange = {
        "grant_type": "authorization_code",
        "code": params["code"],
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
    }

    first, _ = token_request(idp, **exchange)
    second, error = token_request(idp, **exchange)

    assert (first, second) == (200, 400)
    assert error["error_codes"] == [54005]


def test_a_wrong_verifier_gets_no_token(idp: IdentityProvider, mailbox: SandboxMailbox) -> None:
    params = idp.person(mailbox.user).consent(authorize_url(idp))

    status, error = token_request(
        idp,
        grant_type="authorization_code",
        code=params["code"],
        redirect_uri=REDIRECT_URI,
        code_verifier="another-verifier-of-a-length-that-would-be-accepted",
    )

    assert (status, error["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "changes",
    [{"code_challenge": None, "code_challenge_method": None}, {"code_challenge_method": "plain"}],
    ids=["no PKCE", "plain PKCE"],
)
def test_pkce_with_s256_is_required(idp: IdentityProvider, changes: dict[str, str | None]) -> None:
    answer = idp.session().get(authorize_url(idp, **changes), allow_redirects=False)

    params = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
    assert params["error"] == "invalid_request"
    assert params["state"] == "a-state"


def test_a_revoked_refresh_token_is_dead(idp: IdentityProvider, mailbox: SandboxMailbox) -> None:
    result = sign_in(msal_app(idp), idp, mailbox.user)
    revocation = f"{idp.authority}/{idp.tenant}/oauth2/v2.0/revoke"

    answer = idp.session().post(
        revocation,
        data={"token": result["refresh_token"], "client_id": idp.client_id, "client_secret": idp.client_secret},
    )

    assert answer.status_code == 200
    status, _ = token_request(idp, grant_type="refresh_token", refresh_token=result["refresh_token"])
    assert status == 400
    assert not introspected(idp, result["access_token"])["active"]


def test_introspection_tells_whose_token_it_is(idp: IdentityProvider, mailbox: SandboxMailbox) -> None:
    answer = introspected(idp, sign_in(msal_app(idp), idp, mailbox.user)["access_token"])

    assert (answer["active"], answer["email"]) == (True, mailbox.address)


def test_introspection_is_for_those_with_a_secret(idp: IdentityProvider) -> None:
    answer = idp.session().post(idp.introspection_url("imap"), data={"token": "any"})

    assert answer.status_code == 403


def test_a_token_without_the_scope_of_the_protocol_is_not_active(
    idp: IdentityProvider, mailbox: SandboxMailbox
) -> None:
    idp.faults.withhold_scopes("SMTP.Send")
    token = sign_in(msal_app(idp), idp, mailbox.user)["access_token"]

    assert introspected(idp, token, protocol="imap")["active"]
    assert not introspected(idp, token, protocol="smtp")["active"]


def test_client_info_is_what_the_id_token_says(idp: IdentityProvider, mailbox: SandboxMailbox) -> None:
    result = sign_in(msal_app(idp), idp, mailbox.user)

    info = json.loads(urlsafe_b64decode(result["client_info"] + "=="))
    assert info == {"uid": result["id_token_claims"]["oid"], "utid": result["id_token_claims"]["tid"]}


def test_two_people_are_two_identities(idp: IdentityProvider, mailbox: SandboxMailbox) -> None:
    other = mailbox.sandbox.add_user(SandboxUser(address="second-person@sandbox.test", password="x"))

    one = sign_in(msal_app(idp), idp, mailbox.user)["id_token_claims"]
    two = sign_in(msal_app(idp), idp, other)["id_token_claims"]

    assert one["oid"] != two["oid"]
    assert one["sub"] != two["sub"]
