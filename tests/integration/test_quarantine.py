"""No message stops the others: what can't be had is set aside, and comes in once it can."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from crm.models import TimelineEntry
from mailaccounts.mail import headers
from mailaccounts.models import Fault, MailAccount, Message, Quarantined
from mailaccounts.services.checking.compare import compare_account
from mailaccounts.services.checking.repair import repair_account
from mailaccounts.services.syncing import bodies, examine, letters
from mailaccounts.services.syncing.quarantine import release
from mailaccounts.services.syncing.sync import sync_account
from tests.integration.mailboxes import imap_of, recreate, stored_ids
from tests.letters import COLLEAGUE, letter

if TYPE_CHECKING:
    from pathlib import Path

    from crm.models import Contact
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("contact")]


def quarantined() -> list[tuple[int, str, int]]:
    return sorted(Quarantined.objects.values_list("uid", "fault", "attempts"))


def file_of(mailbox: SandboxMailbox, text: bytes) -> Path:
    """Where Dovecot keeps the message."""
    found = (mailbox.sandbox.directory / "dovecot" / "mail" / mailbox.address).rglob("*")
    return next(path for path in found if path.is_file() and text in path.read_bytes())


def try_again() -> None:
    release(Quarantined.objects.all())


def test_a_message_that_the_server_can_not_hand_out_comes_in_when_it_can(
    account: MailAccount, mailbox: SandboxMailbox
) -> None:
    for number in range(1, 6):
        mailbox.append(letter(message_id=f"{number}@x"))
    damaged = file_of(mailbox, b"<3@x>")
    damaged.chmod(0)
    report = sync_account(account.pk)
    assert (report.error, report.finished) == (None, True)
    assert stored_ids(account) == ["1@x", "2@x", "4@x", "5@x"]
    assert quarantined() == [(3, Fault.UNFETCHABLE, 1)]

    assert sync_account(account.pk).error is None
    assert quarantined() == [(3, Fault.UNFETCHABLE, 1)], "it isn't tried before its time"
    try_again()
    assert sync_account(account.pk).error is None
    assert quarantined() == [(3, Fault.UNFETCHABLE, 1)], "somebody asked: it counts from the beginning"

    damaged.chmod(0o600)
    try_again()
    report = sync_account(account.pk)
    assert (report.stored, report.bodies_fetched) == (1, 1)
    assert stored_ids(account) == ["1@x", "2@x", "3@x", "4@x", "5@x"]
    assert quarantined() == []


def test_a_message_at_which_the_server_breaks_off_does_not_keep_the_mailbox_from_being_compared(
    account: MailAccount, mailbox: SandboxMailbox
) -> None:
    for number in range(1, 6):
        mailbox.append(letter(message_id=f"{number}@x"))
    file_of(mailbox, b"<3@x>").chmod(0)
    sync_account(account.pk)
    TimelineEntry.objects.all().delete()
    Message.objects.get(message_id="4@x").delete()
    found = compare_account(account.pk)
    assert (found.error, found.expected, found.missing) == (None, 4, {"INBOX": [4]})
    left = repair_account(account.pk, found)
    assert (left.agrees, left.expected) == (True, 4)
    assert quarantined() == [(3, Fault.UNFETCHABLE, 2)], "going through the folder again met it again"


def test_a_message_whose_headers_no_reader_can_read_is_set_aside(
    account: MailAccount, mailbox: SandboxMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2, 3):
        mailbox.append(letter(message_id=f"{number}@x"))

    def fails(raw: bytes, **options: object) -> headers.Headers:
        if b"<2@x>" in raw:
            raise RecursionError
        return headers.parse_headers(raw, **options)  # type: ignore[arg-type]  # as it was called

    with monkeypatch.context() as broken:
        broken.setattr(letters, "parse_headers", fails)
        sync_account(account.pk)
    assert stored_ids(account) == ["1@x", "3@x"]
    row = Quarantined.objects.get()
    assert (row.uid, row.fault, row.message) == (2, Fault.UNREADABLE, None)
    assert row.size
    assert row.received_at
    try_again()
    sync_account(account.pk)
    assert stored_ids(account) == ["1@x", "2@x", "3@x"]
    assert quarantined() == []


def test_a_body_that_no_reader_can_read_leaves_the_headers_and_is_filled_in_later(
    account: MailAccount, mailbox: SandboxMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox.append(letter(message_id="1@x"))

    def fails(*_: object, **__: object) -> None:
        raise MemoryError

    with monkeypatch.context() as broken:
        broken.setattr(bodies, "parse_message", fails)
        sync_account(account.pk)
    message = account.messages.get()
    assert not message.has_body
    assert Quarantined.objects.get().message == message
    try_again()
    sync_account(account.pk)
    message.refresh_from_db()
    assert message.has_body
    assert quarantined() == []


def test_a_message_that_the_database_can_not_hold_is_set_aside(
    account: MailAccount, mailbox: SandboxMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2, 3):
        mailbox.append(letter(message_id=f"{number}@x"))
    store = examine.store_batch

    def refuses(held: object, batch: examine.Batch) -> int:
        if any(found.headers.message_id == "2@x" for found in batch.found):
            raise ValueError
        return store(held, batch)  # type: ignore[arg-type]  # as it was called

    with monkeypatch.context() as broken:
        broken.setattr(examine, "store_batch", refuses)
        sync_account(account.pk)
    assert stored_ids(account) == ["1@x", "3@x"]
    assert quarantined() == [(2, Fault.UNSTORABLE, 1)]
    try_again()
    sync_account(account.pk)
    assert stored_ids(account) == ["1@x", "2@x", "3@x"]
    assert quarantined() == []


def test_one_that_is_gone_from_the_server_is_forgotten(account: MailAccount, mailbox: SandboxMailbox) -> None:
    mailbox.append(letter(message_id="1@x"))
    file_of(mailbox, b"<1@x>").chmod(0)
    sync_account(account.pk)
    assert quarantined() == [(1, Fault.UNFETCHABLE, 1)]
    with imap_of(mailbox) as other:
        other.select("INBOX")
        other.uid("STORE", "1", "+FLAGS", r"(\Deleted)")
        other.expunge()
    Quarantined.objects.update(next_attempt_at=timezone.now())
    assert sync_account(account.pk).error is None
    assert quarantined() == []


def test_uids_that_begin_anew_leave_nothing_behind(account: MailAccount, mailbox: SandboxMailbox) -> None:
    with imap_of(mailbox) as other:
        other.create("Projects")
    mailbox.append(letter(message_id="1@x"), folder="Projects")
    file_of(mailbox, b"<1@x>").chmod(0)
    sync_account(account.pk)
    assert quarantined() == [(1, Fault.UNFETCHABLE, 1)]
    recreate(mailbox, "Projects", [letter(message_id="2@x")])
    sync_account(account.pk)
    assert quarantined() == []
    assert stored_ids(account) == ["2@x"]


def test_a_strangers_message_that_comes_in_after_all_is_not_stored(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact
) -> None:
    contact.delete()
    mailbox.append(letter(message_id="1@x"))
    damaged = file_of(mailbox, b"<1@x>")
    damaged.chmod(0)
    sync_account(account.pk)
    damaged.chmod(0o600)
    try_again()
    report = sync_account(account.pk)
    assert (report.stored, report.bodies_fetched) == (0, 0)
    assert quarantined() == []
    assert stored_ids(account) == []


def test_a_contacts_letter_that_comes_in_late_brings_the_answers_to_it_along(
    account: MailAccount, mailbox: SandboxMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox.append(letter(message_id="asked@x"))
    mailbox.append(letter(COLLEAGUE, message_id="inside@x", answers=["asked@x"]))
    mailbox.append(letter(COLLEAGUE, message_id="sent@x", answers=["inside@x"]), "Sent")
    mailbox.append(letter(COLLEAGUE, message_id="another@x"))

    def fails(raw: bytes, **options: object) -> headers.Headers:
        if b"<asked@x>" in raw and b"<inside@x>" not in raw:
            raise RecursionError
        return headers.parse_headers(raw, **options)  # type: ignore[arg-type]  # as it was called

    with monkeypatch.context() as broken:
        broken.setattr(letters, "parse_headers", fails)
        sync_account(account.pk)
    assert stored_ids(account) == []
    assert quarantined() == [(1, Fault.UNREADABLE, 1)]
    try_again()
    assert sync_account(account.pk).error is None
    assert stored_ids(account) == ["asked@x", "inside@x", "sent@x"]
    assert quarantined() == []
