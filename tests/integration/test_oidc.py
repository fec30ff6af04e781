"""Any OpenID Connect provider against the sandbox, beyond what all providers have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mailaccounts.errors import (
    AuthorityUnknown,
    ClientMisconfigured,
    GrantRevoked,
    IdTokenInvalid,
    IssuerMismatch,
    ProviderUnavailable,
    ScopeMissing,
)
from mailaccounts.oauth.discovery import documents
from tests.integration.providers import begin, consent, made, opens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailaccounts.oauth.base import BaseProvider
    from mailaccounts.testing.sandbox.switches import Faults
    from tests.sandbox_fixtures import SandboxMailbox


@pytest.fixture
def provider(mailbox: SandboxMailbox) -> BaseProvider:
    return made(mailbox, "oidc")


@pytest.fixture
def faults(mailbox: SandboxMailbox) -> Iterator[Faults]:
    switches = mailbox.sandbox.idp.faults
    yield switches
    switches.reset()
    documents.forget()


def test_the_scope_that_the_registration_names_opens_the_mailbox(
    provider: BaseProvider, mailbox: SandboxMailbox
) -> None:
    issued = consent(provider, mailbox)
    assert issued.scopes >= {"openid", "mail"}
    opens(mailbox, issued.token)


def test_a_provider_that_names_itself_has_to_do_so(provider: BaseProvider, mailbox: SandboxMailbox) -> None:
    """RFC 9207: its metadata says that it does, so an answer without the name isn't its own."""
    authorization = begin(provider)
    params = mailbox.sandbox.idp.person(mailbox.user).consent(authorization.url)
    assert params["iss"] == mailbox.sandbox.idp.issuers["oidc"]
    with pytest.raises(IdTokenInvalid):
        provider.complete(authorization.flow, {name: value for name, value in params.items() if name != "iss"})


def test_a_rotated_refresh_token_works_once(provider: BaseProvider, mailbox: SandboxMailbox) -> None:
    first = consent(provider, mailbox)
    second = provider.refresh(first.state)
    assert second.state != first.state
    third = provider.refresh(second.state)
    with pytest.raises(GrantRevoked):
        provider.refresh(first.state)
    with pytest.raises(GrantRevoked):  # a token used twice was stolen: its whole family ends
        provider.refresh(third.state)


def test_a_scope_that_was_withheld_is_named(provider: BaseProvider, mailbox: SandboxMailbox, faults: Faults) -> None:
    faults.withhold_scopes("mail")
    assert consent(provider, mailbox).missing == ("mail",)


def test_without_offline_access_nothing_lasts(provider: BaseProvider, mailbox: SandboxMailbox) -> None:
    with pytest.raises(ScopeMissing, match="offline_access"):
        consent(provider, mailbox, scopes=("openid", "mail"))


def test_the_issuer_is_spelled_as_the_provider_spells_it(mailbox: SandboxMailbox) -> None:
    issuer = mailbox.sandbox.idp.issuers["oidc"]
    with pytest.raises(IssuerMismatch):
        consent(made(mailbox, "oidc", authority=issuer + "/"), mailbox)
    with pytest.raises(IssuerMismatch):
        consent(made(mailbox, "oidc", authority=issuer.replace("localhost", "127.0.0.1")), mailbox)


@pytest.mark.parametrize(
    ("authority", "error"),
    [
        ("{base}/nothing-here", AuthorityUnknown),
        ("http://localhost/oidc", ClientMisconfigured),
        ("localhost", ClientMisconfigured),
        ("https://localhost:1/oidc", ProviderUnavailable),
    ],
)
def test_an_issuer_that_is_none_is_said_to_be_none(
    mailbox: SandboxMailbox, authority: str, error: type[Exception]
) -> None:
    base = mailbox.sandbox.idp.authority
    with pytest.raises(error):
        consent(made(mailbox, "oidc", authority=authority.format(base=base)), mailbox)
