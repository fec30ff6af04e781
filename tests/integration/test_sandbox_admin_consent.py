"""The sandbox's admin consent page: who may accept, what comes back, and what it changes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import jwt
import pytest

from tests.integration.sandbox_clients import REDIRECT_URI, msal_app
from tests.sandbox_fixtures import new_user

if TYPE_CHECKING:
    from mailaccounts.testing.sandbox import Sandbox, SandboxUser
    from mailaccounts.testing.sandbox.provider import IdentityProvider
    from tests.sandbox_fixtures import SandboxMailbox


@pytest.fixture
def administrator(sandbox: Sandbox) -> SandboxUser:
    return sandbox.add_user(dataclasses.replace(new_user(), is_admin=True))


def url(idp: IdentityProvider, **changes: str) -> str:
    query = {
        "client_id": idp.client_id,
        "redirect_uri": REDIRECT_URI,
        "state": "a-state",
        "scope": "https://outlook.office365.com/.default",
        **changes,
    }
    return f"{idp.authority}/organizations/v2.0/adminconsent?{urlencode(query)}"


def roles(idp: IdentityProvider) -> list[str]:
    """What a new application token may do."""
    answer = msal_app(idp).acquire_token_for_client(["https://outlook.office365.com/.default"])
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    return list(claims.get("roles", []))


def test_an_administrator_allows_the_application_its_roles(idp: IdentityProvider, administrator: SandboxUser) -> None:
    idp.faults.withdraw_admin_consent()
    assert roles(idp) == []

    params = idp.person(administrator).consent(url(idp))

    assert (params["admin_consent"], params["tenant"], params["state"]) == ("True", idp.tenant, "a-state")
    assert "IMAP.AccessAsApp" in roles(idp)


def test_an_administrator_who_declines_changes_nothing(idp: IdentityProvider, administrator: SandboxUser) -> None:
    idp.faults.withdraw_admin_consent()

    params = idp.person(administrator).decline(url(idp))

    assert (params["error"], params["state"]) == ("consent_required", "a-state")
    assert params["error_description"].startswith("AADSTS65004")
    assert roles(idp) == []


def test_nobody_else_can_accept(idp: IdentityProvider, mailbox: SandboxMailbox) -> None:
    with pytest.raises(AssertionError, match="who may not allow this"):
        idp.person(mailbox.user).consent(url(idp))


@pytest.mark.parametrize("changes", [{"redirect_uri": "https://evil.example/"}, {"client_id": "somebody-else"}])
def test_what_is_not_registered_ends_on_the_providers_page(idp: IdentityProvider, changes: dict[str, str]) -> None:
    answer = idp.session().get(url(idp, **changes), allow_redirects=False)

    assert answer.status_code == 400
    assert "not registered" in answer.text
