"""The same sync on a server with next to nothing, and on one in pure Python."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mailaccounts.services.syncing.sync import sync_account
from mailaccounts.testing.sandbox import Sandbox, SandboxUser
from tests.app.builders import make_account, make_credential
from tests.crm.builders import make_contact
from tests.letters import CONTACT as MARIA
from tests.letters import STRANGER, letter, new_id
from tests.sandbox_crm import world_of
from tests.sandbox_fixtures import SandboxMailbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def bare_sandbox() -> Iterator[Sandbox]:
    """A Dovecot that announces nothing beyond IMAP4rev1 and UIDPLUS."""
    directory = Path(tempfile.mkdtemp(prefix="mailaccounts-bare-"))
    directory.chmod(0o711)
    try:
        with Sandbox(directory, imap="dovecot", imap_capability="IMAP4rev1 UIDPLUS") as sandbox:
            yield sandbox
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def bare_mailbox(bare_sandbox: Sandbox) -> SandboxMailbox:
    user = SandboxUser(address=f"{new_id().partition('@')[0]}@sandbox.test", password="s3cret-password")
    return SandboxMailbox(sandbox=bare_sandbox, user=bare_sandbox.add_user(user))


@pytest.mark.parametrize("server", ["bare_mailbox", "pymap_mailbox"])
def test_a_mailbox_is_synced_to_the_end_and_then_kept_up_to_date(
    server: str, request: pytest.FixtureRequest, settings: SettingsWrapper
) -> None:
    mailbox: SandboxMailbox = request.getfixturevalue(server)
    settings.MAILACCOUNTS = world_of(mailbox.sandbox, settings.MAILACCOUNTS)
    make_contact(MARIA)
    account = make_account(
        address=mailbox.address, imap_host=mailbox.sandbox.imap.host, imap_port=mailbox.sandbox.imap.port
    )
    make_credential(account, mailbox.password)
    wanted = [new_id() for _ in range(6)]
    for number, each in enumerate(wanted):
        mailbox.append(letter(message_id=each, attachment=b"x" * 5000), "Projects" if number % 2 else "INBOX")
        mailbox.append(letter(STRANGER))
    report = sync_account(account.pk)
    assert (report.error, report.examined, report.stored, report.bodies_fetched) == (None, 12, 6, 6)
    assert sync_account(account.pk).examined == 0
    wanted.append(new_id())
    mailbox.append(letter(message_id=wanted[-1]))
    assert sync_account(account.pk).bodies_fetched == 1
    assert sorted(account.messages.values_list("message_id", flat=True)) == sorted(wanted)
    assert not account.messages.filter(has_body=False).exists()


def test_a_servers_own_names_for_messages_and_conversations_are_kept(
    pymap_mailbox: SandboxMailbox, settings: SettingsWrapper
) -> None:
    """OBJECTID (RFC 8474)."""
    settings.MAILACCOUNTS = world_of(pymap_mailbox.sandbox, settings.MAILACCOUNTS)
    make_contact(MARIA)
    imap = pymap_mailbox.sandbox.imap
    account = make_account(address=pymap_mailbox.address, imap_host=imap.host, imap_port=imap.port)
    make_credential(account, pymap_mailbox.password)
    same = letter(message_id="1@x")
    for raw, folder in ((same, "INBOX"), (letter(message_id="2@x", answers=["1@x"]), "INBOX"), (same, "Projects")):
        pymap_mailbox.append(raw, folder)
    sync_account(account.pk)
    first, second = account.messages.order_by("message_id")
    assert first.provider_id and second.provider_id and first.provider_id != second.provider_id
    assert first.provider_thread == second.provider_thread != ""
