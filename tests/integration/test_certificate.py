"""The continuity certificate says what a comparison found: with the old sign-in, or with the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mailaccounts.crypto import Secret
from mailaccounts.models import Credential, CredentialState, Message, MessageUid, MigrationStep
from mailaccounts.services.syncing.sync import sync_account
from tests.crm.builders import make_contact
from tests.integration.mailboxes import imap_of, recreate, stored_ids
from tests.letters import CONTACT, STRANGER, letter, new_id
from tests.moving import moved

if TYPE_CHECKING:
    from mailaccounts.models import MailAccount
    from tests.sandbox_fixtures import SandboxMailbox


@pytest.fixture
def filled(account: MailAccount, mailbox: SandboxMailbox) -> MailAccount:
    """The account with three folders, ten messages of a contact's and five of a stranger's, synced."""
    make_contact(CONTACT)
    for number in range(10):
        mailbox.append(letter(message_id=new_id()), ("INBOX", "Projects", "Projects/Old")[number % 3])
    for _ in range(5):
        mailbox.append(letter(STRANGER))
    assert sync_account(account.pk).stored == 10
    account.refresh_from_db()
    return account


def certificate() -> dict[str, Any]:
    written: dict[str, Any] = MigrationStep.objects.get().certificate
    return written


def figures(*names: str) -> tuple[Any, ...]:
    found = certificate()
    return tuple(found[name] for name in names)


def spoil_password() -> None:
    """The server refuses it by now."""
    credential = Credential.objects.get()
    credential.secret = Secret("changed-elsewhere")
    credential.save()


def empty(mailbox: SandboxMailbox, *folders: str) -> None:
    with imap_of(mailbox) as imap:
        for folder in folders:
            imap.select(folder)
            imap.store("1:*", "+FLAGS", "\\Deleted")
            imap.expunge()


def test_the_first_clean_sync_after_a_switch_writes_it(filled: MailAccount, mailbox: SandboxMailbox) -> None:
    step = moved(filled, mailbox)
    assert step.certificate is None
    report = sync_account(filled.pk)
    assert (report.bodies_fetched, report.stored) == (0, 0)
    assert figures("expected", "present", "lost", "doubled", "fetched_again") == (15, 15, 0, 0, 0)
    assert figures("compared_with", "before", "after") == ("old", "password", "xoauth2")
    assert figures("stored_before", "stored_still", "folders_left_out") == (10, 10, 0)
    assert {each["name"]: each["present"] for each in certificate()["folders"]}["Projects/Old"] == 3
    assert any("IMAP" in scope for scope in certificate()["scopes"])


def test_it_is_written_once(filled: MailAccount, mailbox: SandboxMailbox) -> None:
    moved(filled, mailbox)
    sync_account(filled.pk)
    before = certificate()
    sync_account(filled.pk)
    assert certificate() == before


def test_mail_that_arrives_meanwhile_is_neither_expected_nor_doubled(
    filled: MailAccount, mailbox: SandboxMailbox
) -> None:
    moved(filled, mailbox)
    mailbox.append(letter(message_id=new_id()))
    sync_account(filled.pk)
    assert figures("expected", "present", "lost", "doubled", "arrived_since") == (15, 15, 0, 0, 1)


def test_what_somebody_deletes_meanwhile_is_told_from_what_is_lost(
    filled: MailAccount, mailbox: SandboxMailbox
) -> None:
    """The old sign-in doesn't see it any more either."""
    moved(filled, mailbox)
    with imap_of(mailbox) as imap:
        imap.select("Projects")
        imap.store("1:2", "+FLAGS", "\\Deleted")
        imap.expunge()
    sync_account(filled.pk)
    assert figures("expected", "present", "deleted_meanwhile", "lost") == (15, 13, 2, 0)


def test_what_only_the_old_sign_in_can_see_is_lost(filled: MailAccount, mailbox: SandboxMailbox) -> None:
    """Nobody is left to ask here: what is missing counts as lost."""
    moved(filled, mailbox)
    with imap_of(mailbox) as imap:
        imap.select("Projects")
        imap.store("1", "+FLAGS", "\\Deleted")
        imap.expunge()
    Credential.objects.filter(state=CredentialState.RETIRED).delete()
    sync_account(filled.pk)
    assert figures("expected", "present", "deleted_meanwhile", "lost") == (15, 14, 0, 1)


def test_a_message_that_vanished_from_the_store_is_lost(filled: MailAccount, mailbox: SandboxMailbox) -> None:
    moved(filled, mailbox)
    gone = Message.objects.earliest("pk")
    MessageUid.objects.filter(message=gone).delete()
    gone.delete()
    sync_account(filled.pk)
    assert figures("stored_before", "stored_still", "lost") == (10, 9, 1)


def test_a_second_copy_in_the_store_is_counted(filled: MailAccount, mailbox: SandboxMailbox) -> None:
    moved(filled, mailbox)
    first = Message.objects.earliest("pk")
    Message.objects.create(
        account=filled,
        thread=first.thread,
        fingerprint="another",
        message_id=first.message_id,
        received_at=first.received_at,
    )
    sync_account(filled.pk)
    assert figures("doubled", "lost") == (1, 0)


def test_a_body_that_is_asked_for_again_is_counted(
    filled: MailAccount, mailbox: SandboxMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync that forgot what it has: the cursors are lost, and it doesn't look into the store either."""
    from mailaccounts.services.syncing import examine

    moved(filled, mailbox)
    filled.folders.update(last_uid=0)
    monkeypatch.setattr(examine, "stored_bodies", lambda account_id, fingerprints: {})
    assert sync_account(filled.pk).bodies_fetched == 10
    assert figures("fetched_again", "doubled", "lost") == (10, 0, 0)


def test_with_a_dead_password_it_compares_with_the_store_and_says_so(
    filled: MailAccount, mailbox: SandboxMailbox
) -> None:
    spoil_password()
    moved(filled, mailbox)
    sync_account(filled.pk)
    assert figures("compared_with", "expected", "present", "lost", "doubled") == ("store", 10, 10, 0, 0)


def test_what_is_gone_with_a_dead_password_counts_as_missing(filled: MailAccount, mailbox: SandboxMailbox) -> None:
    """Though the sync before the certificate has noticed it by then."""
    empty(mailbox, "Projects", "Projects/Old")
    spoil_password()
    moved(filled, mailbox)
    sync_account(filled.pk)
    assert figures("compared_with", "expected", "present", "deleted_meanwhile") == ("store", 10, 4, 6)
    folders = {each["name"]: (each["expected"], each["present"]) for each in certificate()["folders"]}
    assert (folders["INBOX"], folders["Projects"], folders["Projects/Old"]) == ((4, 4), (3, 0), (3, 0))


def test_an_inbox_that_has_nothing_of_what_is_stored_agrees_with_nothing(
    filled: MailAccount, mailbox: SandboxMailbox
) -> None:
    empty(mailbox, "INBOX")
    spoil_password()
    moved(filled, mailbox)
    sync_account(filled.pk)
    assert figures("compared_with", "expected", "present") == ("nothing", 10, 6)


def test_a_mailbox_that_was_never_synced_has_nothing_to_compare_with(
    account: MailAccount, mailbox: SandboxMailbox
) -> None:
    spoil_password()
    moved(account, mailbox)
    sync_account(account.pk)
    assert figures("compared_with", "expected", "present", "lost") == ("nothing", 0, 0, 0)


def test_folders_that_are_numbered_anew_meanwhile_are_compared_by_number(
    filled: MailAccount, mailbox: SandboxMailbox
) -> None:
    moved(filled, mailbox)
    with imap_of(mailbox) as imap:
        imap.select("Projects/Old", readonly=True)
        raw = [data[1] for data in imap.fetch("1:*", "(BODY.PEEK[])")[1] if isinstance(data, tuple)]
    recreate(mailbox, "Projects/Old", raw)
    report = sync_account(filled.pk)
    assert report.bodies_fetched == 0
    assert figures("expected", "present", "lost", "doubled", "fetched_again") == (15, 15, 0, 0, 0)
    assert len(stored_ids(filled)) == 10
