"""Google against the sandbox, beyond what all providers have in common: its consents, and delegated mailboxes."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest

from mailaccounts.errors import (
    ClientSecretRefused,
    DelegationMissing,
    GrantRevoked,
    InteractionRequired,
    TokenRejected,
    UserUnknownAtProvider,
)
from mailaccounts.oauth.discovery import documents
from mailaccounts.oauth.google import GoogleProvider
from mailaccounts.testing.sandbox.registrations import KeyPair
from tests.integration.providers import begin, consent, made, opens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mailaccounts.oauth.base import BaseProvider
    from mailaccounts.testing.sandbox.switches import Faults
    from tests.sandbox_fixtures import SandboxMailbox

MAIL = "https://mail.google.com/"


@pytest.fixture
def provider(mailbox: SandboxMailbox) -> BaseProvider:
    return made(mailbox, "google")


@pytest.fixture
def faults(mailbox: SandboxMailbox) -> Iterator[Faults]:
    switches = mailbox.sandbox.idp.faults
    yield switches
    switches.reset()
    documents.forget()


def test_one_scope_opens_the_mailbox(provider: BaseProvider, mailbox: SandboxMailbox) -> None:
    issued = consent(provider, mailbox)
    assert MAIL in issued.scopes
    opens(mailbox, issued.token)


def test_whoever_consents_again_gives_a_refresh_token_again(provider: BaseProvider, mailbox: SandboxMailbox) -> None:
    """Google gives one only at a consent, so that a mere sign-in wouldn't do."""
    for _ in range(2):
        assert provider.refresh(consent(provider, mailbox).state).token.value


def test_a_refresh_token_stays_as_it_is(provider: BaseProvider, mailbox: SandboxMailbox) -> None:
    issued = consent(provider, mailbox)
    assert provider.refresh(issued.state).state == issued.state


@pytest.mark.parametrize(("without", "missing"), [([], ()), ([MAIL], (MAIL,))])
def test_a_mail_scope_that_was_unticked_is_named(
    provider: BaseProvider, mailbox: SandboxMailbox, without: list[str], missing: tuple[str, ...]
) -> None:
    """Those that say who it is may come back under other names."""
    authorization = begin(provider)
    params = mailbox.sandbox.idp.person(mailbox.user).consent(authorization.url, without=without)
    assert provider.complete(authorization.flow, params).missing == missing


def test_an_administrators_session_control_wants_a_sign_in(
    provider: BaseProvider, mailbox: SandboxMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = consent(provider, mailbox)
    answer = {"error": "invalid_grant", "error_subtype": "invalid_rapt", "error_description": "reauth related error"}
    post = provider._transport.post

    def refuse(url: str, **options: object) -> object:
        return dataclasses.replace(post(url, **options), status_code=400, text=json.dumps(answer))

    monkeypatch.setattr(provider._transport, "post", refuse)
    with pytest.raises(InteractionRequired):
        provider.refresh(issued.state)


def test_giving_one_consent_back_ends_all_of_the_person(provider: BaseProvider, mailbox: SandboxMailbox) -> None:
    """Why a grant isn't given back while another of the same person is in use."""
    first, second = consent(provider, mailbox), consent(provider, mailbox)
    assert provider.revoke(first.state)
    with pytest.raises(GrantRevoked):
        provider.refresh(second.state)


# --- domain-wide delegation ------------------------------------------------------------------------------------


def delegated(mailbox: SandboxMailbox, **changes: str) -> GoogleProvider:
    registration = dataclasses.replace(mailbox.sandbox.idp.service_account_registration, **changes)
    return GoogleProvider(registration, ca_bundle=str(mailbox.sandbox.ca_file))


def test_a_service_account_opens_the_mailbox_it_asks_for_and_no_other(
    mailbox: SandboxMailbox, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    provider = delegated(mailbox)
    state = provider.app_only(mailbox=mailbox.address)
    for _ in range(2):  # each token by an assertion of its own
        issued = provider.refresh(state)
        assert (issued.state, issued.scopes) == (state, {MAIL})
        opens(mailbox, issued.token)
    with pytest.raises(TokenRejected):
        opens(new_mailbox(), issued.token)


def test_without_delegation_the_administrator_is_asked(mailbox: SandboxMailbox, faults: Faults) -> None:
    faults.withdraw_delegation()
    provider = delegated(mailbox)
    with pytest.raises(DelegationMissing):
        provider.refresh(provider.app_only(mailbox=mailbox.address))


def test_a_user_who_is_not_there_is_said_not_to_be(mailbox: SandboxMailbox) -> None:
    provider = delegated(mailbox)
    with pytest.raises(UserUnknownAtProvider):
        provider.refresh(provider.app_only(mailbox="nobody@sandbox.test"))


def test_a_deleted_key_is_our_mistake(mailbox: SandboxMailbox) -> None:
    key = json.loads(mailbox.sandbox.idp.service_account_key)
    another = {**key, "private_key": KeyPair.make("another").private}
    for changed in (another, {**key, "client_email": "gone@sandbox-project.iam.gserviceaccount.test"}):
        provider = delegated(mailbox, client_secret=json.dumps(changed))
        with pytest.raises(ClientSecretRefused):
            provider.refresh(provider.app_only(mailbox=mailbox.address))
