"""Microsoft against the sandbox, beyond what all providers have in common: tenants, and tokens in our own name."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from mailaccounts.errors import (
    AdminApprovalNeeded,
    AuthorityUnknown,
    ClientMisconfigured,
    ClientSecretExpired,
    ClientSecretRefused,
    IdTokenInvalid,
    ProviderUnavailable,
    TokenRejected,
)
from mailaccounts.oauth.discovery import documents
from mailaccounts.oauth.microsoft import MicrosoftProvider
from tests.integration.providers import begin, consent, made, opens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailaccounts.oauth.base import BaseProvider
    from mailaccounts.testing.sandbox.switches import Faults
    from tests.sandbox_fixtures import SandboxMailbox


@pytest.fixture
def provider(mailbox: SandboxMailbox) -> BaseProvider:
    return made(mailbox, "microsoft")


@pytest.fixture
def faults(mailbox: SandboxMailbox) -> Iterator[Faults]:
    """The provider's switches, put back afterwards."""
    switches = mailbox.sandbox.idp.faults
    yield switches
    switches.reset()
    documents.forget()


def test_the_tenant_goes_into_the_authority_unless_it_has_a_path(mailbox: SandboxMailbox) -> None:
    idp = mailbox.sandbox.idp
    for authority in (
        idp.authority,
        idp.authority + "/",
        f"{idp.authority}/{idp.tenant}",
        f"{idp.authority}/{idp.tenant}/",
    ):
        issued = consent(made(mailbox, "microsoft", authority=authority), mailbox)
        assert issued.identity
        assert issued.identity.tenant == idp.tenant


@pytest.mark.parametrize("tenant", ["common", "organizations"])
def test_a_registration_for_all_tenants_learns_which_one_it_was(mailbox: SandboxMailbox, tenant: str) -> None:
    idp = mailbox.sandbox.idp
    issued = consent(made(mailbox, "microsoft", authority=idp.authority, tenant=tenant), mailbox)
    assert issued.identity
    assert issued.identity.issuer == idp.issuer
    assert issued.identity.tenant == idp.tenant


def test_a_token_of_another_tenant_is_refused(provider: BaseProvider, mailbox: SandboxMailbox, faults: Faults) -> None:
    faults.falsify_id_tokens(tid="33333333-3333-4333-8333-333333333333", iss="https://localhost/33333333/v2.0")
    with pytest.raises(IdTokenInvalid):
        consent(provider, mailbox)


def test_the_person_chooses_an_account_and_never_loops_in_consent(provider: BaseProvider) -> None:
    url = begin(provider, scopes=(provider.scopes[0].name,)).url
    asked = parse_qs(urlsplit(url).query)
    assert asked["prompt"] == ["select_account"]
    assert asked["response_mode"] == ["query"]
    assert "login_hint" not in asked


def test_only_what_was_asked_for_is_granted_and_renewed(provider: BaseProvider, mailbox: SandboxMailbox) -> None:
    issued = consent(provider, mailbox, scopes=(provider.scopes[0].name, "offline_access"))
    for each in (issued, provider.refresh(issued.state)):
        assert any(name.endswith("IMAP.AccessAsUser.All") for name in each.scopes)
        assert not any(name.endswith("SMTP.Send") for name in each.scopes)


def test_an_expired_secret_has_its_own_alarm(provider: BaseProvider, mailbox: SandboxMailbox, faults: Faults) -> None:
    issued = consent(provider, mailbox)
    faults.refuse("invalid_client", code=7000222, status=401)
    with pytest.raises(ClientSecretExpired):
        provider.refresh(issued.state)


def test_a_wrong_client_secret_is_our_fault(mailbox: SandboxMailbox) -> None:
    with pytest.raises(ClientSecretRefused):
        consent(made(mailbox, "microsoft", client_secret="wrong"), mailbox)


@pytest.mark.parametrize("authority", ["http://localhost/tenant", "localhost", "https://localhost:1/tenant"])
def test_an_authority_that_can_not_be_reached_is_said_to_be_one(mailbox: SandboxMailbox, authority: str) -> None:
    with pytest.raises((ClientMisconfigured, ProviderUnavailable)):
        consent(made(mailbox, "microsoft", authority=authority), mailbox)


# --- in our own name -------------------------------------------------------------------------------------------


def of_our_own(mailbox: SandboxMailbox, *, certificate: bool = False) -> MicrosoftProvider:
    """The provider as it speaks for the registration; open to all tenants, as a CRM for many organisations has it."""
    idp = mailbox.sandbox.idp
    registration = idp.certificate_registration if certificate else idp.registration
    changed = dataclasses.replace(registration, authority=idp.authority, tenant="organizations")
    return MicrosoftProvider(changed, ca_bundle=str(mailbox.sandbox.ca_file))


@pytest.mark.parametrize("certificate", [False, True])
def test_a_token_of_our_own_opens_mailboxes_of_the_tenant(mailbox: SandboxMailbox, certificate: bool) -> None:
    provider = of_our_own(mailbox, certificate=certificate)
    issued = provider.refresh(provider.app_only(tenant=mailbox.sandbox.idp.tenant))
    assert {"IMAP.AccessAsApp", "SMTP.SendAsApp"} <= issued.scopes
    assert issued.identity is None
    assert provider.refresh(issued.state).token.value != issued.token.value
    opens(mailbox, issued.token)


def test_a_token_without_roles_is_still_given_and_opens_nothing(mailbox: SandboxMailbox, faults: Faults) -> None:
    """So that it proves nothing, and a mailbox has to be opened."""
    faults.withhold_scopes("AsApp")
    provider = of_our_own(mailbox)
    issued = provider.refresh(provider.app_only(tenant=mailbox.sandbox.idp.tenant))
    assert issued.scopes == frozenset()
    with pytest.raises(TokenRejected):
        opens(mailbox, issued.token)


def test_a_tenant_that_is_not_there_has_no_tokens(mailbox: SandboxMailbox) -> None:
    with pytest.raises(AuthorityUnknown):
        of_our_own(mailbox).app_only(tenant="33333333-3333-4333-8333-333333333333")


def test_an_administrators_missing_consent_is_theirs_to_give(mailbox: SandboxMailbox, faults: Faults) -> None:
    provider = of_our_own(mailbox)
    state = provider.app_only(tenant=mailbox.sandbox.idp.tenant)
    faults.refuse("invalid_grant", code=65001)
    with pytest.raises(AdminApprovalNeeded):
        provider.refresh(state)
