"""Messages that were left alone, and belong to a contact's conversation after all: whatever comes in between, they are
stored, and nobody else's are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from mailaccounts.errors import ConnectionLost
from mailaccounts.mail import imap_reader
from mailaccounts.mail.imap import ImapSession
from mailaccounts.models import Fault, Quarantined
from mailaccounts.services.syncing import round as rounds
from mailaccounts.services.syncing import visit, work
from mailaccounts.services.syncing.sync import sync_account
from tests.integration.mailboxes import recreate, stored_ids
from tests.letters import COLLEAGUE, CONTACT, STRANGER, letter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_django.fixtures import SettingsWrapper

    from crm.models import Contact
    from mailaccounts.mail.types import FetchedHeaders
    from mailaccounts.models import MailAccount
    from tests.sandbox_fixtures import SandboxMailbox


@pytest.fixture
def in_two_folders(mailbox: SandboxMailbox) -> None:
    """A colleague asked, and the answer to that went to a contact."""
    mailbox.append(letter(COLLEAGUE, message_id="asked@x"))
    mailbox.append(letter("me@sandbox.test", CONTACT, message_id="sent@x", answers=["asked@x"]), "Sent")


@pytest.fixture
def slowly(settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long messages take all the time there is."""
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SYNC_BUDGET": 0, "BODY_BATCH_BYTES": 5000}
    monkeypatch.setattr(imap_reader, "PIECE", 3000)
    monkeypatch.setattr(ImapSession, "parts", lambda *_, **__: None)
    original = ImapSession.long_body
    monkeypatch.setattr(
        ImapSession, "long_body", lambda self, uid, **rest: original(self, uid, **{**rest, "until": 0.0})
    )


def test_what_was_to_join_when_the_connection_was_lost_does_so_with_the_next_sync(
    account: MailAccount,
    mailbox: SandboxMailbox,
    contact: Contact,
    in_two_folders: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lost(*_: Any, **__: Any) -> bool:
        raise ConnectionLost(host="localhost")

    with monkeypatch.context() as once:
        once.setattr(visit.Visit, "join", lost)
        assert sync_account(account.pk).error is not None
    assert stored_ids(account) == ["sent@x"]
    assert sync_account(account.pk).finished
    assert stored_ids(account) == ["asked@x", "sent@x"]
    assert not account.folders.exclude(joining="").exists()


def test_what_was_to_join_when_the_worker_was_killed_does_so_with_the_next_sync(
    account: MailAccount,
    mailbox: SandboxMailbox,
    contact: Contact,
    in_two_folders: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def killed(*_: Any, **__: Any) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as once:
        once.setattr(visit.Visit, "join", killed)
        with pytest.raises(KeyboardInterrupt):
            sync_account(account.pk)
    assert sync_account(account.pk).finished
    assert stored_ids(account) == ["asked@x", "sent@x"]


def test_a_message_that_has_taken_the_place_of_what_was_left_alone_stays_alone(
    account: MailAccount,
    mailbox: SandboxMailbox,
    contact: Contact,
    settings: SettingsWrapper,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "HEADER_BATCH": 1}
    monkeypatch.setattr(rounds, "SLICE_SECONDS", 0.0)
    mailbox.append(letter(COLLEAGUE, message_id="asked@x"), "Team")
    mailbox.append(letter(COLLEAGUE, message_id="else@x"), "Zoo")
    original, again = rounds.Round._list, []

    def new_uids(self: rounds.Round, **options: Any) -> None:
        if options["again"] and account.folders.filter(name="Team", history_below=0, uidvalidity__gt=0) and not again:
            again.append(True)
            answer = letter(CONTACT, message_id="answer@x", answers=["asked@x"])
            recreate(mailbox, "Team", [letter(STRANGER, message_id="private@x"), answer])
        original(self, **options)

    monkeypatch.setattr(rounds.Round, "_list", new_uids)
    assert sync_account(account.pk).finished
    assert again
    assert stored_ids(account) == ["answer@x"]
    bodies = [command for log in mailbox.rawlogs() for command in log.commands if "BODY.PEEK[]" in command]
    assert [re.findall(r"FETCH (\S+) ", command)[0] for command in bodies] == ["2"]


def test_a_long_message_that_is_to_join_waits_for_a_sync_with_time(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, settings: SettingsWrapper, slowly: None
) -> None:
    mailbox.append(letter(COLLEAGUE, message_id="asked@x", text=("y" * 70 + "\n") * 200))
    mailbox.append(letter("me@sandbox.test", CONTACT, message_id="sent@x", answers=["asked@x"]), "Sent")
    for _ in range(6):
        report = sync_account(account.pk)
        assert report.error is None and not report.finished
    assert stored_ids(account) == ["sent@x"]
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SYNC_BUDGET": 120}
    assert sync_account(account.pk).finished
    assert stored_ids(account) == ["asked@x", "sent@x"]


def test_a_long_message_that_is_tried_again_waits_for_a_sync_with_time(
    account: MailAccount,
    mailbox: SandboxMailbox,
    contact: Contact,
    settings: SettingsWrapper,
    slowly: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SYNC_BUDGET": 120}
    mailbox.append(letter(message_id="short@x"))
    assert sync_account(account.pk).finished
    mailbox.append(letter(message_id="long@x", text=("y" * 70 + "\n") * 200))
    inbox = account.folders.get(name="INBOX")
    inbox.last_uid = 2
    inbox.uidnext = 3
    inbox.save()
    waiting = Quarantined.objects.create(
        folder=inbox, uidvalidity=inbox.uidvalidity, uid=2, fault=Fault.UNFETCHABLE, next_attempt_at=inbox.synced_at
    )
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SYNC_BUDGET": 0}
    monkeypatch.setattr(work.Work, "is_over", False)  # just about
    report = sync_account(account.pk)
    assert report.error is None
    waiting.refresh_from_db()
    assert waiting.attempts == 1


def test_a_server_that_breaks_off_over_too_many_headers_is_asked_for_fewer_when_they_are_read_again(
    account: MailAccount,
    mailbox: SandboxMailbox,
    contact: Contact,
    settings: SettingsWrapper,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "HEADER_BATCH": 4, "SYNC_BUDGET": 0}
    mailbox.append(letter(message_id="first@x"))
    for number in range(9):
        mailbox.append(letter(COLLEAGUE, message_id=f"{number}@x"))
    mailbox.append(letter(COLLEAGUE, message_id="last@x", answers=["first@x"]))
    original = ImapSession.headers

    def few(self: ImapSession, uids: Sequence[int], **options: Any) -> Iterator[list[FetchedHeaders]]:
        if len(uids) > 2:
            self._live().shutdown()
            raise ConnectionLost(host="localhost")
        yield from original(self, uids, **options)

    monkeypatch.setattr(ImapSession, "headers", few)
    for _ in range(40):
        report = sync_account(account.pk)
        if report.finished and report.error is None:
            break
    assert report.finished and report.error is None
    assert stored_ids(account) == ["first@x", "last@x"]


@pytest.mark.parametrize("it_was", ["history", "news"])
def test_what_an_earlier_sync_left_alone_is_stored_once_a_contact_joins_the_conversation(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, it_was: str
) -> None:
    """A stranger asked, and days later the owner's answer goes to a contact as well."""
    if it_was == "news":
        sync_account(account.pk)
    mailbox.append(letter(STRANGER, message_id="asked@x"))
    mailbox.append(letter(STRANGER, message_id="other@x"))
    assert sync_account(account.pk).finished
    assert stored_ids(account) == []
    mailbox.append(letter("me@sandbox.test", CONTACT, message_id="answer@x", answers=["asked@x"]), "Sent")
    report = sync_account(account.pk)
    assert report.finished
    assert stored_ids(account) == ["answer@x", "asked@x"]
    assert report.bodies_fetched == 2
    assert not account.folders.exclude(joining="").exists()
    mailbox.append(letter(CONTACT, message_id="thanks@x", answers=["asked@x", "answer@x"]))
    assert sync_account(account.pk).examined == 1
    assert not any(" 1:2 " in command for command in mailbox.rawlogs()[-1].commands), "it is looked for once"


@pytest.mark.parametrize("asks", ["for it", "for everything"])
def test_what_is_too_far_back_or_filed_elsewhere_is_found_by_its_message_id(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, monkeypatch: pytest.MonkeyPatch, asks: str
) -> None:
    for module in (rounds, visit):
        monkeypatch.setattr(module, "LOOK_BACK", 2)
    if asks == "for everything":
        monkeypatch.setattr(rounds, "MOST_KEYS", 0)
    mailbox.append(letter(COLLEAGUE, message_id="asked@x"))
    mailbox.append(letter(COLLEAGUE, message_id="filed@x", answers=["asked@x"]), "Projects")
    for number in range(6):
        mailbox.append(letter(STRANGER, message_id=f"{number}@x"), "INBOX" if number % 2 else "Projects")
    assert sync_account(account.pk).finished
    assert stored_ids(account) == []
    mailbox.append(letter(CONTACT, message_id="joined@x", answers=["filed@x"]))
    report = sync_account(account.pk)
    while not report.finished:
        assert report.error is None
        report = sync_account(account.pk)
    assert stored_ids(account) == ["asked@x", "filed@x", "joined@x"]
    asked = [command for log in mailbox.rawlogs() for command in log.commands if "HEADER MESSAGE-ID" in command]
    assert bool(asked) == (asks == "for it")
