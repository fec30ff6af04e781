"""Every provider keeps the contract, against the sandbox's identity providers."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

import pytest

from mailaccounts.oauth.google import GoogleProvider
from mailaccounts.oauth.microsoft import MicrosoftProvider
from mailaccounts.oauth.oidc import OidcProvider
from mailaccounts.services.registering.clients import PROVIDERS
from mailaccounts.testing.contracts import ProviderContract
from mailaccounts.testing.sandbox.registrations import redirect_uris

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailaccounts.oauth.base import BaseProvider
    from mailaccounts.oauth.types import ClientRegistration
    from mailaccounts.testing.sandbox.provider import IdentityProvider
    from tests.sandbox_fixtures import SandboxMailbox


class AtTheSandbox(ProviderContract):
    kind: ClassVar[type[BaseProvider]]

    def registration(self, idp: IdentityProvider) -> ClientRegistration:
        return idp.registrations[self.kind.slug]

    @pytest.fixture
    def provider(self, mailbox: SandboxMailbox) -> BaseProvider:
        sandbox = mailbox.sandbox
        return self.kind(self.registration(sandbox.idp), ca_bundle=str(sandbox.ca_file))

    @pytest.fixture
    def answer(self, mailbox: SandboxMailbox) -> Callable[..., dict[str, str]]:
        person = mailbox.sandbox.idp.person(mailbox.user)
        return lambda url, *, allow=True: person.consent(url) if allow else person.decline(url)


class TestMicrosoft(AtTheSandbox):
    kind = MicrosoftProvider
    redirect_uri = redirect_uris("microsoft")[0]


class TestMicrosoftWithACertificate(TestMicrosoft):
    def registration(self, idp: IdentityProvider) -> ClientRegistration:
        return idp.certificate_registration


class TestGoogle(AtTheSandbox):
    kind = GoogleProvider
    redirect_uri = redirect_uris("google")[0]


class TestAnyProvider(AtTheSandbox):
    kind = OidcProvider
    redirect_uri = redirect_uris("oidc")[0]


class TestEntraAsAnyProvider(AtTheSandbox):
    """What is known by its issuer may be anybody's: Microsoft's too."""

    kind = OidcProvider
    redirect_uri = redirect_uris("microsoft")[0]

    def registration(self, idp: IdentityProvider) -> ClientRegistration:
        scopes = ("openid", "offline_access", "https://outlook.office.com/IMAP.AccessAsUser.All")
        return dataclasses.replace(idp.registration, authority=idp.issuer, scopes=scopes)


def test_every_provider_of_ours_keeps_it() -> None:
    tested = {each.kind for each in (TestMicrosoft, TestGoogle, TestAnyProvider)}
    assert tested == set(PROVIDERS.values())
