"""The sandbox's generic OpenID Connect provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.plain_oauth import PlainClient, introspected
from tests.integration.sandbox_clients import Bearer, access_token, imap_connection, smtp_bearer_login, smtp_connection

if TYPE_CHECKING:
    from mailaccounts.testing.sandbox import Sandbox
    from mailaccounts.testing.sandbox.provider import IdentityProvider
    from tests.sandbox_fixtures import SandboxMailbox


@pytest.fixture
def oidc(idp: IdentityProvider) -> PlainClient:
    return PlainClient(idp, "oidc")


def test_discovery_names_the_issuer_it_was_asked_at(oidc: PlainClient) -> None:
    document = oidc.discovered()

    assert document["issuer"] == oidc.issuer
    assert document["authorization_response_iss_parameter_supported"]


def test_the_id_token_is_for_the_client_that_asked(oidc: PlainClient, mailbox: SandboxMailbox) -> None:
    claims = oidc.claims(oidc.sign_in(mailbox.user)["id_token"])

    assert (claims["email"], claims["nonce"]) == (mailbox.address, "a-nonce")


def test_a_refresh_token_needs_offline_access(oidc: PlainClient, mailbox: SandboxMailbox) -> None:
    assert "refresh_token" not in oidc.sign_in(mailbox.user, scope="openid mail")


def test_a_refresh_token_used_twice_ends_its_whole_family(oidc: PlainClient, mailbox: SandboxMailbox) -> None:
    first = oidc.sign_in(mailbox.user)["refresh_token"]
    _, answer = oidc.refresh(first)

    reused, error = oidc.refresh(first)
    successor, _ = oidc.refresh(answer["refresh_token"])

    assert (reused, error["error"], successor) == (400, "invalid_grant", 400)
    assert "AADSTS" not in str(error)
    assert not introspected(oidc.idp, answer["access_token"])["active"]


def test_a_revoked_refresh_token_is_dead(oidc: PlainClient, mailbox: SandboxMailbox) -> None:
    grant = oidc.sign_in(mailbox.user)["refresh_token"]
    registration = oidc.registration

    revoked = oidc.revoke(grant, client_id=registration.client_id, client_secret=registration.client_secret)

    assert revoked == 200
    assert oidc.refresh(grant)[0] == 400


@pytest.mark.parametrize("allow", [True, False], ids=["allowed", "declined"])
def test_the_response_names_its_issuer(oidc: PlainClient, mailbox: SandboxMailbox, allow: bool) -> None:
    person = oidc.idp.person(mailbox.user)

    params = person.consent(oidc.url()) if allow else person.decline(oidc.url())

    assert params["iss"] == oidc.issuer
    assert ("code" in params) is allow


def test_turning_back_names_the_issuer_too(oidc: PlainClient, mailbox: SandboxMailbox) -> None:
    params = oidc.idp.person(mailbox.user).cancel(oidc.url())

    assert (params["error"], params["iss"]) == ("access_denied", oidc.issuer)


def test_the_response_can_name_another_issuer(oidc: PlainClient, mailbox: SandboxMailbox) -> None:
    oidc.idp.faults.falsify_response_issuer("https://evil.example")

    assert oidc.idp.person(mailbox.user).consent(oidc.url())["iss"] == "https://evil.example"


@pytest.mark.parametrize("provider", ["microsoft", "google", "oidc"])
def test_userinfo_says_what_the_id_token_says(idp: IdentityProvider, mailbox: SandboxMailbox, provider: str) -> None:
    """For signing in to the CRM with allauth, which asks for it."""
    if provider == "microsoft":
        token, url = access_token(idp, mailbox.user), idp.session().get(idp.discovery_url).json()["userinfo_endpoint"]
    else:
        client = PlainClient(idp, provider)
        token, url = client.sign_in(mailbox.user)["access_token"], client.discovered()["userinfo_endpoint"]

    answer = idp.session().get(url, headers={"Authorization": f"Bearer {token}"})

    assert answer.json()["email"] == mailbox.address


@pytest.mark.parametrize("provider", ["google", "oidc"])
@pytest.mark.parametrize("path", ["/oauth/{}/callback/", "/accounts/oidc/{}/login/callback/"])
def test_both_callbacks_of_the_crm_are_registered(
    idp: IdentityProvider, mailbox: SandboxMailbox, provider: str, path: str
) -> None:
    uri = f"http://127.0.0.1:60999{path.format(provider)}"

    answer = idp.person(mailbox.user).answer(PlainClient(idp, provider).url(redirect_uri=uri), allow=True)

    assert answer.startswith(f"{uri}?")


@pytest.mark.parametrize("provider", ["google", "oidc"])
def test_the_mail_servers_take_its_tokens(sandbox: Sandbox, mailbox: SandboxMailbox, provider: str) -> None:
    token = PlainClient(sandbox.idp, provider).sign_in(mailbox.user)["access_token"]

    with imap_connection(sandbox.imap, sandbox.ca_file) as imap:
        imap.authenticate("XOAUTH2", Bearer(mailbox.address, token))
        assert imap.select()[0] == "OK"
    with smtp_connection(sandbox.smtp, sandbox.ca_file) as smtp:
        assert smtp_bearer_login(smtp, Bearer(mailbox.address, token))[0] == 235


@pytest.mark.parametrize("provider", ["google", "oidc"])
def test_the_fault_switches_work_here_too(idp: IdentityProvider, mailbox: SandboxMailbox, provider: str) -> None:
    client = PlainClient(idp, provider)
    idp.faults.throttle(retry_after=7)
    throttled, _ = client.refresh("any")
    idp.faults.falsify_id_tokens(nonce="wrong")
    answer = client.sign_in(mailbox.user, access_type="offline")

    assert throttled == 429
    assert client.claims(answer["id_token"])["nonce"] == "wrong"
    assert idp.faults.expire_access_tokens(mailbox.address) == 1
    assert not introspected(idp, answer["access_token"])["active"]
    assert idp.faults.revoke(mailbox.address) == 1
    assert client.refresh(answer["refresh_token"])[0] == 400
