"""Fixtures of the app's tests that meet the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dns.resolver
import pytest

from mailaccounts.testing.sandbox.registrations import PROVIDERS
from tests.app.builders import make_user
from tests.sandbox_crm import world_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox


@pytest.fixture
def world(sandbox: Sandbox, settings: SettingsWrapper) -> Iterator[Sandbox]:
    """The sandbox, with the CRM placed in it; every fault is put back afterwards."""
    settings.MAILACCOUNTS = world_of(sandbox, settings.MAILACCOUNTS)
    yield sandbox
    sandbox.idp.faults.reset()


@pytest.fixture
def every_provider(world: Sandbox, settings: SettingsWrapper) -> Sandbox:
    """The same, registered with each of the sandbox's providers."""
    settings.MAILACCOUNTS = world_of(world, settings.MAILACCOUNTS, providers=PROVIDERS)
    return world


@pytest.fixture
def local_hosts(settings: SettingsWrapper) -> None:
    """Identity providers may be on this machine, and the settings name none."""
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "ALLOW_PRIVATE_HOSTS": ["127.0.0.0/8", "::1"], "CLIENTS": {}}


@pytest.fixture
def boss(client: Client) -> Client:
    """A superuser at the admin."""
    user = make_user("boss")
    user.is_staff = user.is_superuser = True
    user.save()
    client.force_login(user)
    return client


@pytest.fixture
def anna(world: Sandbox, mailbox: SandboxMailbox) -> SandboxMailbox:
    """Somebody with a mailbox in the sandbox."""
    return mailbox


@pytest.fixture(autouse=True)
def _no_outside_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test asks the internet about a domain: there is no resolver unless a test brings one."""
    monkeypatch.setattr(dns.resolver, "default_resolver", dns.resolver.Resolver(configure=False))
