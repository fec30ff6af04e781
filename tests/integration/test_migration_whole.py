"""Whole mailboxes on their way from a password to OAuth, as the servers see it."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

from mailaccounts.errors import AdminActionNeeded, MailboxDiffers, MailboxNotConnected
from mailaccounts.models import Credential, CredentialState, Grant, MailAccount, MessageUid, MigrationStep
from mailaccounts.rules.migration_states import MigrationState
from mailaccounts.services.connecting.wish import Purpose, Wish
from mailaccounts.services.moving import migrate, rollback
from mailaccounts.services.syncing.sync import sync_account
from tests.crm.builders import make_contact
from tests.integration.hostile import Authority, HostileServer, Peer, endpoint, imap_login, tag
from tests.integration.mailboxes import stored_ids
from tests.letters import CONTACT, STRANGER, letter, new_id
from tests.moving import consented, moved

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import SettingsWrapper

    from tests.sandbox_fixtures import SandboxMailbox

BODY = "BODY.PEEK[]"


def sync_through(account: MailAccount) -> int:
    """Syncs until nothing is left; how many bodies that took."""
    bodies, finished = 0, False
    while not finished:
        report = sync_account(account.pk)
        assert report.error is None
        bodies, finished = bodies + report.bodies_fetched, report.finished
    return bodies


def certificate() -> dict[str, Any]:
    written: dict[str, Any] = MigrationStep.objects.get().certificate
    return written


def places(account: MailAccount) -> set[tuple[int, int, int, str]]:
    rows = MessageUid.objects.filter(folder__account=account)
    return set(rows.values_list("folder_id", "uidvalidity", "uid", "message__message_id"))


@pytest.mark.parametrize("each", [20, pytest.param(1000, marks=pytest.mark.soak)])
def test_twenty_folders_are_switched_without_a_body_downloaded_again(
    account: MailAccount, mailbox: SandboxMailbox, each: int
) -> None:
    make_contact(CONTACT)
    for folder in range(20):
        name = f"Projects/{folder:02}" if folder else "INBOX"
        for number in range(each):
            mailbox.append(letter(CONTACT if number % 5 == 0 else STRANGER, message_id=new_id()), name)
    stored = 20 * each // 5
    assert sync_through(account) == stored
    before = places(account)
    account.refresh_from_db()

    logged = len(mailbox.rawlogs())
    moved(account, mailbox)
    proof = mailbox.rawlogs()[logged:]
    assert len(proof) == 2, "two sessions: the old sign-in and the new one"
    assert sum(len(log.commands) for log in proof) < 80, "a few round trips a folder, however much is in it"

    assert sync_through(account) == 0
    later = mailbox.rawlogs()[logged:]
    assert not any(BODY in command for log in later for command in log.commands)
    assert sum(len(log.received) for log in later) < 100_000 + 10 * 20 * each, "bytes as the server counts them"
    assert places(account) == before
    found = certificate()
    assert sum(folder["present"] == each and not folder["counted"] for folder in found["folders"]) == 20
    assert (found["expected"], found["present"], found["stored_still"]) == (20 * each, 20 * each, stored)
    assert (found["lost"], found["doubled"], found["fetched_again"]) == (0, 0, 0)


def test_a_mailbox_that_moved_to_another_server_is_recognised_there(
    account: MailAccount, mailbox: SandboxMailbox, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    """Copied in another order and with other UIDs; some mail arrives there first. Then back again."""
    make_contact(CONTACT)
    copy = new_mailbox()
    letters = [(letter(message_id=new_id()), "Projects" if number % 3 else "INBOX") for number in range(12)]
    for raw, folder in letters:
        mailbox.append(raw, folder)
    assert sync_through(account) == 12
    account.refresh_from_db()
    ids = stored_ids(account)
    copy.append(letter(STRANGER))
    for raw, folder in reversed(letters):
        copy.append(raw, folder)

    wish = elsewhere(account, copy)
    step = migrate.go_on(consented(account, copy, wish))
    account.refresh_from_db()
    assert (step.state, account.imap_host) == (MigrationState.SWITCHED, "127.0.0.1")
    new = new_id()
    copy.append(letter(message_id=new))
    assert sync_through(account) == 1, "only what is new"
    assert stored_ids(account) == sorted([*ids, new])
    found = certificate()
    assert (found["expected"], found["present"], found["lost"]) == (12, 12, 0)
    assert (found["doubled"], found["fetched_again"], found["from"] != found["to"]) == (0, 0, True)

    rollback.roll_back(account, actor=account.owner)
    account.refresh_from_db()
    assert account.imap_host == mailbox.sandbox.imap.host
    assert sync_through(account) == 0
    assert stored_ids(account) == sorted([*ids, new])


def test_a_copy_that_lacks_the_messages_is_not_moved_to(
    account: MailAccount, mailbox: SandboxMailbox, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    for _ in range(4):
        mailbox.append(letter(message_id=new_id()))
    empty = new_mailbox()
    with pytest.raises(MailboxDiffers) as differs:
        migrate.go_on(consented(account, empty, elsewhere(account, empty)))
    assert "of 4 messages it has 0" in differs.value.message
    account.refresh_from_db()
    assert account.imap_host == mailbox.sandbox.imap.host
    assert sync_account(account.pk).error is None


def elsewhere(account: MailAccount, copy: SandboxMailbox) -> Wish:
    """The same servers by another name, and there another mailbox."""
    sandbox = copy.sandbox
    wish = Wish.of(account, Purpose.SWITCH).moving_to(
        replace(sandbox.imap, host="127.0.0.1"), replace(sandbox.smtp, host="127.0.0.1")
    )
    return replace(wish, draft=replace(wish.draft, username=copy.address))


def test_mail_that_keeps_arriving_while_syncs_run_is_stored_once(
    account: MailAccount, mailbox: SandboxMailbox
) -> None:
    """Syncs, the switch and new mail at the same time."""
    make_contact(CONTACT)
    ids = [new_id() for _ in range(30)]
    done, switched = threading.Event(), []

    def arrive() -> None:
        for each in ids:
            mailbox.append(letter(message_id=each))
        done.set()

    def move() -> None:
        switched.append(moved(MailAccount.objects.get(pk=account.pk), mailbox).state)
        connection.close()

    threads = [threading.Thread(target=work) for work in (arrive, move)]
    for thread in threads:
        thread.start()
    while not done.is_set() or not switched:
        assert sync_account(account.pk).error is None
    for thread in threads:
        thread.join()
    sync_through(account)
    assert switched == [MigrationState.SWITCHED]
    assert Counter(account.messages.values_list("message_id", flat=True)) == Counter(ids)
    found = certificate()
    assert (found["lost"], found["doubled"], found["fetched_again"]) == (0, 0, 0)


# --- servers that let the new sign-in in, but only halfway ---


@pytest.fixture
def trusted(authority: Authority, world: object, settings: SettingsWrapper, tmp_path: Path) -> Authority:
    """The hostile servers' authority, trusted beside the sandbox's."""
    both = tmp_path / "both.pem"
    files = (authority.ca_file, settings.MAILACCOUNTS["CA_BUNDLE"])
    both.write_bytes(b"".join(Path(each).read_bytes() for each in files))
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CA_BUNDLE": str(both)}
    return authority


def smtp_switched_off(peer: Peer) -> None:
    peer.send(b"220 hello\r\n")
    peer.line()
    peer.send(b"250-mail.example.com\r\n250 AUTH PLAIN XOAUTH2\r\n")
    peer.line()
    peer.send(b"334 \r\n")
    peer.line()
    peer.send(b"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.\r\n")


def test_a_tenant_that_switched_sending_off_leaves_everything_as_it_was(
    account: MailAccount, mailbox: SandboxMailbox, trusted: Authority
) -> None:
    with HostileServer(smtp_switched_off, context=trusted.context()) as server:
        smtp = endpoint(server.port, protocol="smtp")
        MailAccount.objects.update(smtp_host=smtp.host, smtp_port=smtp.port)
        account.refresh_from_db()
        step = consented(account, mailbox)
        with pytest.raises(AdminActionNeeded) as refused:
            migrate.go_on(step)
    assert "Ask the mailbox's administrator to allow it." in refused.value.message
    assert_as_before(account, step)


def not_connected(peer: Peer) -> None:
    imap_login(peer, capabilities=b"IMAP4rev1 UIDPLUS AUTH=PLAIN AUTH=XOAUTH2")
    while True:
        peer.send(tag(peer.line()), b" BAD User is authenticated but not connected.\r\n")


def test_a_mailbox_that_may_not_be_read_over_imap_is_told_from_a_wrong_sign_in(
    account: MailAccount, mailbox: SandboxMailbox, trusted: Authority
) -> None:
    """Its organisation allows IMAP for others: let in, but to nothing."""
    with HostileServer(not_connected, context=trusted.context()) as server:
        imap = endpoint(server.port)
        wish = Wish.of(account, Purpose.SWITCH).moving_to(imap, account.smtp)
        step = consented(account, mailbox, wish)
        with pytest.raises(MailboxNotConnected) as refused:
            migrate.go_on(step)
    assert "Ask the mailbox's administrator to allow IMAP for it." in refused.value.message
    assert_as_before(account, step)


def assert_as_before(account: MailAccount, step: MigrationStep) -> None:
    assert step.state == MigrationState.FAILED
    assert step.message
    credential = Credential.objects.get()
    assert (credential.backend, credential.state) == ("password", CredentialState.ACTIVE)
    assert not Grant.objects.filter(credentials__isnull=False).exists()
    assert sync_account(account.pk).error is None
