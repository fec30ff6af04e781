"""Every provider against the sandbox, beyond the contract: faults told apart, falsified answers, silence."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from mailaccounts.errors import (
    ClientMisconfigured,
    ClientRefused,
    GrantRevoked,
    IdTokenInvalid,
    InteractionRequired,
    OAuthError,
    ProviderThrottled,
    ProviderUnavailable,
)
from mailaccounts.oauth.discovery import documents
from mailaccounts.oauth.types import GrantState
from tests.integration.providers import begin, consent, made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mailaccounts.oauth.base import BaseProvider
    from mailaccounts.testing.sandbox.switches import Faults
    from tests.sandbox_fixtures import SandboxMailbox

SLUGS = ("microsoft", "google", "oidc")


@pytest.fixture(params=SLUGS)
def provider(request: pytest.FixtureRequest, mailbox: SandboxMailbox) -> BaseProvider:
    return made(mailbox, request.param)


@pytest.fixture
def faults(mailbox: SandboxMailbox) -> Iterator[Faults]:
    """The switches of all providers, put back afterwards."""
    switches = mailbox.sandbox.idp.faults
    yield switches
    switches.reset()
    documents.forget()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (lambda faults: faults.fail(), ProviderUnavailable),
        (lambda faults: faults.fail(status=400), ProviderUnavailable),  # not even JSON
        (lambda faults: faults.fail(status=403), ProviderThrottled),  # a page for people, as Google has one
        (lambda faults: faults.throttle(retry_after=9), ProviderThrottled),
        (lambda faults: faults.refuse("invalid_grant", code=700082), GrantRevoked),
        (lambda faults: faults.refuse("interaction_required", code=50079), InteractionRequired),
        (lambda faults: faults.refuse("temporarily_unavailable", code=90024), ProviderUnavailable),
        (lambda faults: faults.refuse("invalid_client", code=70002, status=401), ClientRefused),
    ],
)
def test_a_failed_refresh_is_told_apart_and_the_next_one_is_really_tried(
    provider: BaseProvider,
    mailbox: SandboxMailbox,
    faults: Faults,
    fault: Callable[[Faults], None],
    error: type[OAuthError],
) -> None:
    """MSAL alone would repeat the failure for a minute without asking."""
    issued = consent(provider, mailbox)
    fault(faults)
    with pytest.raises(error) as caught:
        provider.refresh(issued.state)
    assert type(caught.value) is error
    assert provider.refresh(issued.state).token.value


def test_a_refresh_costs_one_request(provider: BaseProvider, mailbox: SandboxMailbox, faults: Faults) -> None:
    """Discovery is kept."""
    issued = consent(provider, mailbox)
    faults.fail(endpoint="discovery", times=-1)
    assert made(mailbox, provider.slug).refresh(issued.state).token.value


def test_every_refresh_can_be_followed_by_another(provider: BaseProvider, mailbox: SandboxMailbox) -> None:
    """Whether the provider rotates refresh tokens or leaves them as they are."""
    issued = consent(provider, mailbox)
    for _ in range(3):
        issued = provider.refresh(issued.state)
    assert issued.scopes >= {scope.name for scope in provider.scopes if "mail" in scope.name}


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "another-client"},
        {"nonce": "another-nonce"},
        {"exp": 1},
    ],
)
def test_an_id_token_with_a_wrong_claim_proves_nobody(
    provider: BaseProvider, mailbox: SandboxMailbox, faults: Faults, claims: dict[str, str | int]
) -> None:
    faults.falsify_id_tokens(**claims)
    with pytest.raises(IdTokenInvalid):
        consent(provider, mailbox)


def test_an_answer_in_another_issuers_name_is_refused(
    provider: BaseProvider, mailbox: SandboxMailbox, faults: Faults
) -> None:
    """RFC 9207: a mix-up."""
    faults.falsify_response_issuer("https://evil.example")
    with pytest.raises(IdTokenInvalid):
        consent(provider, mailbox)


@pytest.mark.parametrize("skew", [-60, 60])
def test_clocks_may_differ_a_little(
    provider: BaseProvider, mailbox: SandboxMailbox, faults: Faults, skew: int
) -> None:
    faults.skew_clock(skew)
    assert consent(provider, mailbox).identity


@pytest.mark.parametrize("changes", [{"client_secret": "wrong"}, {"client_id": "wrong"}])
@pytest.mark.parametrize("slug", SLUGS)
def test_a_wrong_client_is_our_fault(mailbox: SandboxMailbox, slug: str, changes: dict[str, str]) -> None:
    issued = consent(made(mailbox, slug), mailbox)
    with pytest.raises(ClientMisconfigured):
        made(mailbox, slug, **changes).refresh(issued.state)
    assert made(mailbox, slug).refresh(issued.state)


def test_one_person_is_the_same_at_every_consent(
    provider: BaseProvider, mailbox: SandboxMailbox, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    first, second, other = (consent(provider, each).identity for each in (mailbox, mailbox, new_mailbox()))
    assert first == second
    assert first
    assert other
    assert (first.issuer, first.subject) != (other.issuer, other.subject)
    assert first.address == mailbox.address


def test_an_unknown_grant_is_revoked_without_a_word(provider: BaseProvider) -> None:
    assert provider.revoke(GrantState(b'{"refresh_token": "never-issued", "scopes": []}'))


def test_nothing_secret_is_logged(
    provider: BaseProvider, mailbox: SandboxMailbox, caplog: pytest.LogCaptureFixture, faults: Faults
) -> None:
    for name in ("", "msal", "authlib", "urllib3", "requests", "mailaccounts"):
        caplog.set_level(logging.DEBUG, logger=name)
    authorization = begin(provider)
    person = mailbox.sandbox.idp.person(mailbox.user)
    params = person.consent(authorization.url)
    caplog.clear()  # the person's own requests, code included, were logged by urllib3: that is their browser
    issued = provider.complete(authorization.flow, params)
    renewed = provider.refresh(issued.state)
    faults.fail(status=400)
    with pytest.raises(ProviderUnavailable):
        provider.refresh(renewed.state)
    faults.refuse()
    with pytest.raises(GrantRevoked):
        provider.refresh(renewed.state)
    provider.revoke(renewed.state)
    assert caplog.records
    secrets = [
        params["code"],
        str(authorization.flow["code_verifier"]),
        str(authorization.flow["nonce"]),
        mailbox.sandbox.idp.registrations[provider.slug].client_secret,
        issued.token.value,
        renewed.token.value,
        issued.state.decode(),
        renewed.state.decode(),
    ]
    text = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert [each for each in secrets if each in text] == []
