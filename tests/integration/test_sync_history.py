"""History: from the newest back, slice by slice, with what arrives meanwhile read first, as far back as is wanted."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from mailaccounts.mail.imap import ImapSession
from mailaccounts.services.syncing import round as rounds
from mailaccounts.services.syncing import visit
from mailaccounts.services.syncing.sync import sync_account
from tests.integration.mailboxes import places, stored_ids
from tests.letters import COLLEAGUE, CONTACT, letter, new_id

if TYPE_CHECKING:
    from datetime import date

    from pytest_django.fixtures import SettingsWrapper

    from crm.models import Contact
    from mailaccounts.models import MailAccount
    from tests.sandbox_fixtures import SandboxMailbox


def days_ago(days: int) -> date:
    return (timezone.now() - timedelta(days=days)).date()


@pytest.fixture
def one_by_one(settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "HEADER_BATCH": 1}


@pytest.fixture
def no_time(settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "HEADER_BATCH": 1, "SYNC_BUDGET": 0}


def sync_to_the_end(account: MailAccount) -> None:
    for _ in range(50):
        if sync_account(account.pk).finished:
            return
    raise AssertionError("the end is never reached")


def test_history_is_read_from_the_newest_back_inbox_and_sent_before_the_rest(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, one_by_one: None
) -> None:
    for folder in ("Archive", "Sent", "INBOX"):
        for number in (1, 2):
            mailbox.append(letter(message_id=f"{number}@{folder}"), folder)
    sync_account(account.pk)
    in_order = account.messages.order_by("pk").values_list("message_id", flat=True)
    assert list(in_order) == ["2@INBOX", "1@INBOX", "2@Sent", "1@Sent", "2@Archive", "1@Archive"]
    account.refresh_from_db()
    assert timezone.now() - account.last_mail_at < timedelta(minutes=5)


def test_a_folder_tells_how_far_its_history_is(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, no_time: None
) -> None:
    for _ in range(3):
        mailbox.append(letter())
    shown: list[str] = []
    progress = []
    for _ in range(4):
        sync_account(account.pk, progress=shown.append)
        inbox = account.folders.get(name="INBOX")
        progress.append((inbox.history_done, inbox.history_total, inbox.history_below))
    assert progress == [(1, 3, 3), (2, 3, 2), (3, 3, 0), (3, 3, 0)]
    assert "Reading INBOX, 2 of 3" in shown


def test_mail_that_arrives_while_history_is_read_comes_before_the_next_slice(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, one_by_one: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "SLICE_SECONDS", 0)
    for number in range(1, 4):
        mailbox.append(letter(message_id=f"old{number}@x"))
        mailbox.append(letter(message_id=f"filed{number}@x"), "Archive")
    original = ImapSession.headers
    arriving = {"INBOX": ["new1@x", "new2@x"], "Archive": ["new3@x"]}

    def then_deliver(self: ImapSession, uids: Any, **rest: Any) -> Any:
        yield from original(self, uids, **rest)
        if arriving[self._selected]:
            mailbox.append(letter(message_id=arriving[self._selected].pop(0)))

    monkeypatch.setattr(ImapSession, "headers", then_deliver)
    assert sync_account(account.pk).finished
    in_order = list(account.messages.order_by("pk").values_list("message_id", flat=True))
    assert in_order == [
        *("old3@x", "new1@x", "new2@x", "old2@x", "old1@x"),
        *("filed3@x", "new3@x", "filed2@x", "filed1@x"),
    ]


def test_whoever_wants_older_mail_later_gets_just_that(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, no_time: None
) -> None:
    account.since = days_ago(30)
    account.save()
    for days in (400, 5, 200, 3, 60):
        mailbox.append(letter(message_id=f"{days}@x"), when=timezone.now() - timedelta(days=days))
    sync_to_the_end(account)
    assert stored_ids(account) == ["3@x", "5@x"]
    examined = account.folders.get(name="INBOX").examined
    account.since = days_ago(300)
    account.save()
    assert not sync_account(account.pk).finished
    inbox = account.folders.get(name="INBOX")
    assert (inbox.history_done, inbox.history_total) == (1, 2)
    sync_to_the_end(account)
    assert stored_ids(account) == ["200@x", "3@x", "5@x", "60@x"]
    account.since = None
    account.save()
    sync_to_the_end(account)
    assert account.messages.count() == 5
    assert account.folders.get(name="INBOX").examined == examined + 3
    assert sync_account(account.pk).examined == 0


def test_a_date_moved_back_in_the_middle_of_history_leaves_nothing_out(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, no_time: None
) -> None:
    account.since = days_ago(30)
    account.save()
    for days in (3, 100, 5, 90, 7):
        mailbox.append(letter(message_id=f"{days}@x"), when=timezone.now() - timedelta(days=days))
    sync_account(account.pk)
    account.since = days_ago(300)
    account.save()
    sync_to_the_end(account)
    assert account.messages.count() == account.folders.get(name="INBOX").examined == 5


# --- conversations that only turn out to have a contact ---


def test_an_answer_among_colleagues_is_stored_with_the_letter_it_answers(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, one_by_one: None
) -> None:
    first, second, third = "first@x", "second@x", "third@x"
    mailbox.append(letter(CONTACT, message_id=first))
    mailbox.append(letter(COLLEAGUE, message_id=second, answers=[first]))
    mailbox.append(letter(COLLEAGUE, message_id=third, answers=[second]))
    mailbox.append(letter(COLLEAGUE, message_id=new_id()))
    report = sync_account(account.pk)
    assert stored_ids(account) == [first, second, third]
    assert (report.examined, report.matched, report.bodies_fetched) == (4, 3, 3)
    inbox = account.folders.get(name="INBOX")
    assert (inbox.examined, inbox.history_done, inbox.history_below) == (4, 4, 0)


def test_also_when_the_contact_is_in_another_folder(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact
) -> None:
    mailbox.append(letter(COLLEAGUE, message_id="asked@x"))
    mailbox.append(letter(COLLEAGUE, message_id="more@x", answers=["asked@x"]))
    mailbox.append(letter("me@sandbox.test", CONTACT, message_id="sent@x", answers=["asked@x"]), "Sent")
    report = sync_account(account.pk)
    assert stored_ids(account) == ["asked@x", "more@x", "sent@x"]
    assert places(account) == [("INBOX", 1), ("INBOX", 2), ("Sent", 1)]
    assert report.examined == 3


def test_also_when_time_ran_out_in_between(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, no_time: None
) -> None:
    mailbox.append(letter(CONTACT, message_id="first@x"))
    mailbox.append(letter(COLLEAGUE, message_id="second@x", answers=["first@x"]))
    sync_to_the_end(account)
    assert stored_ids(account) == ["first@x", "second@x"]
    assert account.folders.get(name="INBOX").examined == 2


def test_also_when_the_contact_is_in_a_folder_that_another_sync_comes_to(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, no_time: None
) -> None:
    mailbox.append(letter(COLLEAGUE, message_id="asked@x"))
    mailbox.append(letter("me@sandbox.test", CONTACT, message_id="sent@x", answers=["asked@x"]), "Sent")
    assert not sync_account(account.pk).finished
    sync_to_the_end(account)
    assert stored_ids(account) == ["asked@x", "sent@x"]


def test_a_look_back_ends_at_some_point(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, no_time: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visit, "LOOK_BACK", 2)
    for number in range(1, 7):
        mailbox.append(letter(COLLEAGUE, message_id=f"{number}@x"))
    for _ in range(4):
        sync_account(account.pk)
    fetched = [command for command in mailbox.rawlogs()[-1].commands if " FETCH " in command]
    assert [re.findall(r"FETCH (\S+) ", command)[0] for command in fetched] == ["4", "5", "3"]


def test_of_what_is_left_alone_no_body_is_asked_for_and_nothing_stored(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, one_by_one: None
) -> None:
    mailbox.append(letter(CONTACT, message_id="first@x"))
    mailbox.append(letter(COLLEAGUE, message_id="alone@x", answers=["unknown@x"]))
    sync_account(account.pk)
    assert stored_ids(account) == ["first@x"]
    bodies = [command for command in mailbox.rawlogs()[-1].commands if "BODY.PEEK[]" in command]
    assert [re.findall(r"FETCH (\S+) ", command)[0] for command in bodies] == ["1"]
