"""Syncing against Dovecot: contacts first, nothing twice, nothing lost."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from crm.models import TimelineEntry
from mailaccounts.models import AccountStatus, Message, MessageUid, Participant, Thread, ThreadKey
from mailaccounts.services.syncing.sync import sync_account
from tests.integration.mailboxes import imap_of, places, stored_ids
from tests.letters import CONTACT, STRANGER, letter, new_id

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

    from crm.models import Contact
    from mailaccounts.models import MailAccount
    from tests.sandbox_fixtures import SandboxMailbox


def test_a_sync_that_finds_nothing_new_takes_six_queries(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(4):
        mailbox.append(letter(), folder=f"Folder {number}")
    for _ in range(2):
        assert sync_account(account.pk).error is None
    with django_assert_num_queries(6):
        assert sync_account(account.pk).error is None


def test_mail_with_a_contact_is_stored_and_shown(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact
) -> None:
    mailbox.append(letter(subject="Offer", text="Here it is", attachment=b"%PDF" * 100, message_id="offer@x.test"))
    report = sync_account(account.pk)
    assert report.error is None
    assert (report.examined, report.matched, report.stored, report.bodies_fetched) == (1, 1, 1, 1)
    message = account.messages.get()
    assert (message.message_id, message.subject, message.body_text.strip()) == ("offer@x.test", "Offer", "Here it is")
    assert message.has_body and message.announced and not message.truncated
    assert [(a.name, a.content_type, a.size) for a in message.attachments.all()] == [
        ("offer.pdf", "application/pdf", 400)
    ]
    assert TimelineEntry.objects.get().contact == contact
    account.refresh_from_db()
    assert account.status == AccountStatus.OK
    assert account.stage == account.lease_owner == ""
    assert account.next_sync_at > timezone.now()


def test_of_mail_without_a_contact_nothing_is_stored_but_the_cursor(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact
) -> None:
    mailbox.append(letter(STRANGER))
    report = sync_account(account.pk)
    assert (report.examined, report.matched, report.bodies_fetched) == (1, 0, 0)
    for model in (Message, MessageUid, Participant, Thread, ThreadKey, TimelineEntry):
        assert not model.objects.exists(), model
    inbox = account.folders.get(name="INBOX")
    assert (inbox.last_uid, inbox.examined) == (1, 1)


def test_the_rest_of_a_contacts_conversation_is_stored_with_it(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact
) -> None:
    first, second, third, fourth = (new_id() for _ in range(4))
    mailbox.append(letter(STRANGER, message_id=first))
    mailbox.append(letter(CONTACT, message_id=second, answers=[first]))
    mailbox.append(letter(STRANGER, message_id=new_id()))
    sync_account(account.pk)
    assert stored_ids(account) == sorted([first, second])
    mailbox.append(letter(STRANGER, message_id=third, answers=[second]), folder="Projects")
    mailbox.append(letter(STRANGER, message_id=fourth, answers=["unknown@x.test"]), folder="Projects")
    sync_account(account.pk)
    assert stored_ids(account) == sorted([first, second, third])
    assert Thread.objects.count() == 1


def test_a_conversation_whose_contact_was_removed_is_no_longer_stored(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact
) -> None:
    first = new_id()
    mailbox.append(letter(CONTACT, message_id=first))
    sync_account(account.pk)
    TimelineEntry.objects.all().delete()
    contact.delete()
    mailbox.append(letter(STRANGER, answers=[first]))
    assert sync_account(account.pk).bodies_fetched == 0
    assert stored_ids(account) == [first]


def test_an_answer_to_two_conversations_joins_them(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact
) -> None:
    one, two, both = new_id(), new_id(), new_id()
    mailbox.append(letter(message_id=one))
    mailbox.append(letter(message_id=two))
    sync_account(account.pk)
    assert Thread.objects.count() == 2
    mailbox.append(letter(message_id=both, answers=[one, two]))
    sync_account(account.pk)
    thread = Thread.objects.get()
    assert thread.messages.count() == 3
    assert set(thread.keys.values_list("message_id", flat=True)) == {one, two, both}


def test_a_second_sync_fetches_nothing(account: MailAccount, mailbox: SandboxMailbox, contact: Contact) -> None:
    for _ in range(5):
        mailbox.append(letter())
    assert sync_account(account.pk).stored == 5
    report = sync_account(account.pk)
    assert (report.examined, report.matched, report.stored, report.bodies_fetched) == (0, 0, 0, 0)
    assert not any("FETCH" in command for command in mailbox.rawlogs()[-1].commands)


def test_copies_are_one_message_in_many_places_and_one_download(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact
) -> None:
    raw = letter()
    mailbox.append(raw)
    mailbox.append(raw)
    mailbox.append(raw, folder="Projects")
    report = sync_account(account.pk)
    assert (report.examined, report.matched, report.stored, report.bodies_fetched) == (3, 3, 1, 1)
    assert places(account) == [("INBOX", 1), ("INBOX", 2), ("Projects", 1)]


def test_mail_sent_counts_and_junk_trash_and_drafts_do_not(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact
) -> None:
    for folder in ("Sent", "Junk", "Trash", "Drafts", "Projects"):
        mailbox.append(letter(message_id=f"{folder}@x.test"), folder=folder)
    sync_account(account.pk)
    assert stored_ids(account) == ["Projects@x.test", "Sent@x.test"]


def test_history_begins_at_the_accounts_date_and_what_is_moved_in_later_is_seen(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact
) -> None:
    now = timezone.now()
    account.since = (now - timedelta(days=30)).date()
    account.save()
    old, recent, moved = new_id(), new_id(), new_id()
    mailbox.append(letter(message_id=old), when=now - timedelta(days=400))
    mailbox.append(letter(message_id=recent), when=now - timedelta(days=3))
    mailbox.append(letter(message_id=new_id()), when=now - timedelta(days=300))
    report = sync_account(account.pk)
    assert (report.examined, stored_ids(account)) == (1, [recent])
    mailbox.append(letter(message_id=moved), when=now - timedelta(days=500))
    assert sync_account(account.pk).examined == 1
    assert stored_ids(account) == sorted([recent, moved])


def test_unread_mail_stays_unread(account: MailAccount, mailbox: SandboxMailbox, contact: Contact) -> None:
    mailbox.append(letter())
    sync_account(account.pk)
    with imap_of(mailbox) as imap:
        imap.select("INBOX", readonly=True)
        assert imap.search(None, "UNSEEN") == ("OK", [b"1"])
