"""The same mailbox on servers that tell more or less of what changed: three ways for a sync to find out."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mailaccounts.services.syncing.sync import sync_account
from mailaccounts.testing.sandbox import Sandbox
from tests.app.builders import make_account, make_credential
from tests.integration.mailboxes import places
from tests.sandbox_crm import world_of
from tests.sandbox_fixtures import SandboxMailbox, new_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.models import MailAccount
    from mailaccounts.services.syncing.report import SyncReport

CAPABILITIES = {  # of Dovecot; what isn't among them is there, but nobody is told
    "condstore": "IMAP4rev1 UIDPLUS CONDSTORE ENABLE ESEARCH LIST-EXTENDED LIST-STATUS SPECIAL-USE MOVE",  # Gmail's
    "neither": "IMAP4rev1 UIDPLUS",
}
WAYS = ("qresync", *CAPABILITIES, "pymap")


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """A mailbox on one of the servers, and our account for it, never synced."""

    way: str
    mailbox: SandboxMailbox
    account: MailAccount

    def uid(self, number: int) -> int:
        """The UID of the folder's first, second … message: pymap begins at 101."""
        return number + 100 * (self.way == "pymap")

    def places(self) -> list[tuple[str, int]]:
        """Where stored messages lie, as if every folder's UIDs began at 1: (folder, UID), sorted."""
        return [(name, uid - self.uid(0)) for name, uid in places(self.account)]

    def sync(self) -> SyncReport:
        report = sync_account(self.account.pk)
        assert report.error is None, report.error
        return report


@pytest.fixture(scope="session")
def sandbox_of(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Sandbox]]:
    """The server of each way, started when it is first needed."""
    with ExitStack() as stack:
        running: dict[str, Sandbox] = {}

        def of(way: str) -> Sandbox:
            if way not in CAPABILITIES:
                found: Sandbox = request.getfixturevalue({"qresync": "sandbox", "pymap": "pymap_sandbox"}[way])
                return found
            if way not in running:
                running[way] = stack.enter_context(limited(CAPABILITIES[way]))
            return running[way]

        yield of


@pytest.fixture(params=WAYS)
def there(
    request: pytest.FixtureRequest,
    sandbox_of: Callable[[str], Sandbox],
    settings: SettingsWrapper,
    transactional_db: None,
) -> There:
    sandbox = sandbox_of(request.param)
    settings.MAILACCOUNTS = world_of(sandbox, settings.MAILACCOUNTS)
    mailbox = SandboxMailbox(sandbox=sandbox, user=sandbox.add_user(new_user()))
    account = make_account(address=mailbox.address, imap_host=sandbox.imap.host, imap_port=sandbox.imap.port)
    make_credential(account, mailbox.password)
    return There(way=request.param, mailbox=mailbox, account=account)


@contextmanager
def limited(capability: str) -> Iterator[Sandbox]:
    """A Dovecot that announces so much and no more."""
    directory = Path(tempfile.mkdtemp(prefix="mailaccounts-way-"))
    directory.chmod(0o711)
    try:
        with Sandbox(directory, imap="dovecot", imap_capability=capability) as sandbox:
            yield sandbox
    finally:
        shutil.rmtree(directory, ignore_errors=True)
