"""People who sign in to the CRM at the sandbox's identity providers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mailaccounts.oauth.discovery import documents
from tests.app.builders import make_user
from tests.crm.at_provider import PASSWORD, Visitor, registered_world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox


@pytest.fixture
def providers(sandbox: Sandbox, settings: SettingsWrapper) -> Iterator[Sandbox]:
    """The CRM is registered with the three providers of the sandbox; every fault is put back afterwards."""
    settings.MAILACCOUNTS = registered_world(sandbox, settings.MAILACCOUNTS)
    settings.REAUTHENTICATE_AFTER = 3600
    yield sandbox
    sandbox.idp.faults.reset()
    documents.forget()


@pytest.fixture
def anna(db: None) -> Any:
    user = make_user("anna")
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.fixture
def visitor(providers: Sandbox, mailbox: SandboxMailbox) -> Visitor:
    """Anna's browser, before she signs in."""
    return Visitor(mailbox)


@pytest.fixture
def stranger(providers: Sandbox, new_mailbox: Callable[[], SandboxMailbox]) -> Visitor:
    """Somebody else's browser."""
    return Visitor(new_mailbox())


@pytest.fixture
def linked(visitor: Visitor, anna: Any) -> Visitor:
    """Anna's browser after she linked her Microsoft account, signed out again."""
    visitor.link("microsoft")
    visitor.sign_out()
    return visitor
