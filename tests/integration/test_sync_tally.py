"""What an account's tally says of its syncs is what they did."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DataError

from mailaccounts.models import Blocked, MessageUid, Tally
from mailaccounts.services.syncing import examine
from mailaccounts.services.syncing.quarantine import release
from mailaccounts.services.syncing.sync import sync_account
from tests.crm.builders import make_contact
from tests.integration.mailboxes import imap_of, recreate, stored_ids
from tests.letters import CONTACT, STRANGER, letter

if TYPE_CHECKING:
    from crm.models import Contact
    from mailaccounts.models import MailAccount
    from tests.sandbox_fixtures import SandboxMailbox

BLOCKED = "old.flame@private.test"


def tally(account: MailAccount) -> dict[str, int]:
    """The figures that aren't 0."""
    row = Tally.objects.filter(account=account).values().first() or {}
    return {name: count for name, count in row.items() if count and name != "account_id"}


@pytest.fixture
def blocked(account: MailAccount) -> None:
    make_contact(BLOCKED, name="Nina")
    Blocked.objects.create(owner=account.owner, pattern="@private.test")


def test_every_message_examined_is_counted_once_by_what_became_of_it(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, blocked: None
) -> None:
    offer = letter(message_id="offer@x")
    for raw in (offer, letter(STRANGER), letter(STRANGER), letter(BLOCKED, account.address, text="Dear"), letter()):
        mailbox.append(raw)
    mailbox.append(letter(account.address, account.address))
    mailbox.append(offer, "Projects")
    report = sync_account(account.pk)
    assert tally(account) == {"stored": 2, "again": 1, "nobody": 2, "blocked": 1, "colleagues": 1, "bodies": 2}
    row = Tally.objects.get(account=account)
    assert (row.examined, row.skipped) == (report.examined, 4) == (7, 4)
    assert report.bodies_fetched == 2


def test_nothing_of_a_blocked_contact_is_stored_but_the_rest_of_a_contacts_conversation(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, blocked: None
) -> None:
    mailbox.append(letter(BLOCKED, message_id="alone@x"))
    mailbox.append(letter(BLOCKED, message_id="together@x"))
    mailbox.append(letter(CONTACT, message_id="contact@x", answers=["together@x"]))
    sync_account(account.pk)
    assert stored_ids(account) == ["contact@x", "together@x"]
    assert tally(account) == {"stored": 2, "blocked": 1, "bodies": 2}


def test_messages_that_join_a_conversation_later_move_from_those_left_alone_to_those_stored(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact
) -> None:
    mailbox.append(letter(STRANGER, message_id="asked@x"))
    sync_account(account.pk)
    assert tally(account) == {"nobody": 1}
    mailbox.append(letter(CONTACT, message_id="answered@x", answers=["asked@x"]), "Projects")
    sync_account(account.pk)
    row = Tally.objects.get(account=account)
    assert stored_ids(account) == ["answered@x", "asked@x"]
    assert tally(account) == {"stored": 2, "nobody": 1, "joined": 1, "bodies": 2}
    assert (row.examined, row.skipped) == (2, 0)
    sync_account(account.pk)
    assert Tally.objects.get(account=account).examined == 2


def test_what_was_to_join_and_has_done_so_is_not_counted_again(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact
) -> None:
    mailbox.append(letter())
    sync_account(account.pk)
    account.folders.filter(name="INBOX").update(
        joining="1"
    )  # as a worker that is killed before it says that it is done leaves it
    before = tally(account)
    sync_account(account.pk)
    assert tally(account) == before
    assert not account.folders.exclude(joining="").exists()


def test_a_folder_that_is_gone_through_again_counts_what_is_stored_as_stored_already(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact
) -> None:
    messages = [letter(), letter()]
    for raw in messages:
        mailbox.append(raw, "Projects")
    sync_account(account.pk)
    recreate(mailbox, "Projects", messages)
    sync_account(account.pk)
    assert tally(account) == {"stored": 2, "again": 2, "bodies": 2}


def test_a_message_set_aside_counts_when_it_comes_in(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = examine.store_batch

    def picky(held: Any, batch: Any) -> int:
        if any(each.headers.subject == "Refused" for each in batch.found):
            raise DataError
        return original(held, batch)

    for subject in ("Refused", "Hello", "Again"):
        mailbox.append(letter(subject=subject))
    with monkeypatch.context() as once:
        once.setattr(examine, "store_batch", picky)
        sync_account(account.pk)
    assert tally(account) == {"stored": 2, "bodies": 3}
    release(account.folders.get(name="INBOX").quarantined.all())
    sync_account(account.pk)
    assert tally(account) == {"stored": 3, "bodies": 4}
    assert MessageUid.objects.count() == 3


def test_mail_older_than_wanted_is_counted_where_it_lies(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact
) -> None:
    with imap_of(mailbox) as imap:
        for day in ('"01-Jan-2020 10:00:00 +0000"', '"01-Jan-2021 10:00:00 +0000"', '"01-Jan-2024 10:00:00 +0000"'):
            assert imap.append("INBOX", "", day, letter())[0] == "OK"
    for since, older in ((date(2022, 1, 1), 2), (date(2020, 6, 1), 1), (None, 0)):
        account.since = since
        account.save()
        sync_account(account.pk)
        assert account.folders.get(name="INBOX").older == older
    assert tally(account) == {"stored": 3, "bodies": 3}
