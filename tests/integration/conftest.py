"""An account of the CRM whose mailbox is on the sandbox's Dovecot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.app.builders import make_account, make_credential
from tests.crm.builders import make_contact
from tests.integration.gmail import gmail, gmail_account, gmail_server
from tests.integration.hostile import Authority
from tests.integration.ways import sandbox_of, there
from tests.letters import CONTACT
from tests.sandbox_crm import world_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import SettingsWrapper

    from crm.models import Contact
    from mailaccounts.models import MailAccount
    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox


__all__ = ["gmail", "gmail_account", "gmail_server", "sandbox_of", "there"]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom the clients of hostile servers trust."""
    return Authority.make(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def world(sandbox: Sandbox, settings: SettingsWrapper) -> Iterator[Sandbox]:
    """The sandbox, with the CRM placed in it; every fault is put back afterwards."""
    settings.MAILACCOUNTS = world_of(sandbox, settings.MAILACCOUNTS)
    yield sandbox
    sandbox.idp.faults.reset()


@pytest.fixture
def account(world: Sandbox, mailbox: SandboxMailbox, transactional_db: None) -> MailAccount:
    """An account for ``mailbox``, signing in with its password, never synced."""
    made = make_account(
        address=mailbox.address,
        imap_host=world.imap.host,
        imap_port=world.imap.port,
        smtp_host=world.smtp.host,
        smtp_port=world.smtp.port,
    )
    make_credential(made, mailbox.password)
    return made


@pytest.fixture
def contact(transactional_db: None) -> Contact:
    """The person whose letters ``letter()`` writes, known to the CRM."""
    return make_contact(CONTACT)
