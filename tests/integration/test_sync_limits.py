"""Syncing when something is odd: budgets, big mail, new UIDs, vanishing and malformed mail."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mailaccounts.conf import settings as in_force
from mailaccounts.mail.headers import parse_headers
from mailaccounts.mail.imap import ImapSession
from mailaccounts.services.syncing import bodies, examine, sync
from mailaccounts.services.syncing.sync import sync_account
from tests.integration.mailboxes import imap_of, places, recreate, stored_ids
from tests.letters import CONTACT, STRANGER, letter, new_id

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from crm.models import Contact
    from mailaccounts.models import MailAccount
    from tests.sandbox_fixtures import SandboxMailbox


def test_a_spent_budget_is_saved_and_the_next_sync_goes_on(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, settings: SettingsWrapper
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SYNC_BUDGET": 0, "HEADER_BATCH": 2}
    account.since = (timezone.now() - timedelta(days=30)).date()
    account.save()
    ids = [new_id() for _ in range(5)]
    for each in ids:
        mailbox.append(letter(message_id=each))
    mailbox.append(letter(), when=timezone.now() - timedelta(days=400))
    report = sync_account(account.pk)
    assert not report.finished
    assert stored_ids(account) == sorted(ids[-2:])  # the newest first
    account.refresh_from_db()
    assert account.next_sync_at <= timezone.now()
    for _ in range(5):
        report = sync_account(account.pk)
        if report.finished:
            break
    assert report.finished
    assert stored_ids(account) == sorted(ids)
    inbox = account.folders.get(name="INBOX")
    assert (inbox.examined, inbox.history_done, inbox.history_total, inbox.history_below) == (5, 5, 5, 0)


def test_bodies_come_in_portions_that_are_stored_one_by_one(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, settings: SettingsWrapper
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "BODY_BATCH_BYTES": 2500}
    for _ in range(6):
        mailbox.append(letter(text="x" * 70 + "\n" + ("y" * 70 + "\n") * 25))  # about 2,200 bytes each
    assert sync_account(account.pk).stored == 6
    fetches = [line for line in mailbox.rawlogs()[-1].commands if "BODY.PEEK[]" in line]
    assert len(fetches) == 2


def test_a_message_longer_than_the_limit_is_stored_cut_off(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, settings: SettingsWrapper
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "MAX_MESSAGE_BYTES": 2000}
    mailbox.append(letter(text=("z" * 70 + "\n") * 100))
    sync_account(account.pk)
    message = account.messages.get()
    assert message.truncated and message.has_body
    assert message.size > 7000
    assert 1000 < len(message.body_text) < 2000


def test_a_new_uidvalidity_loses_nothing_doubles_nothing_downloads_nothing(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact
) -> None:
    letters = {new_id(): None for _ in range(4)}
    for each in letters:
        letters[each] = letter(message_id=each)
        mailbox.append(letters[each], folder="Projects")
    assert sync_account(account.pk).bodies_fetched == 4
    before = dict(account.messages.values_list("message_id", "pk"))
    validity = account.folders.get(name="Projects").uidvalidity
    added = new_id()
    recreate(mailbox, "Projects", [*reversed(letters.values()), letter(message_id=added)])
    report = sync_account(account.pk)
    projects = account.folders.get(name="Projects")
    assert projects.uidvalidity != validity
    assert (report.examined, report.stored, report.bodies_fetched) == (5, 1, 1)
    after = dict(account.messages.values_list("message_id", "pk"))
    assert {key: value for key, value in after.items() if key != added} == before
    assert list(projects.uids.order_by("uid").values_list("message__message_id", flat=True)) == [
        *reversed(letters),
        added,
    ]
    assert set(projects.uids.values_list("uidvalidity", flat=True)) == {projects.uidvalidity}


def test_a_message_expunged_between_its_headers_and_its_body_is_not_stored(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, copy, kept = new_id(), new_id(), new_id()
    mailbox.append(letter(message_id=gone))
    twice = letter(message_id=copy)
    mailbox.append(twice)
    mailbox.append(twice)
    mailbox.append(letter(message_id=kept))
    original = ImapSession.headers

    def then_expunge(self: ImapSession, uids: list[int]) -> object:
        found = original(self, uids)
        with imap_of(mailbox) as imap:
            imap.select("INBOX")
            imap.uid("STORE", "1,2", "+FLAGS", r"(\Deleted)")
            imap.expunge()
        self._client.noop()  # until it is told, Dovecot still hands the messages out
        return found

    monkeypatch.setattr(ImapSession, "headers", then_expunge)
    report = sync_account(account.pk)
    assert report.error is None
    assert stored_ids(account) == sorted([copy, kept])  # of the two copies the other one's body was fetched
    assert ("INBOX", 1) not in places(account)
    assert account.folders.get(name="INBOX").history_below == 0


def test_malformed_mail_stops_nothing(account: MailAccount, mailbox: SandboxMailbox, contact: Contact) -> None:
    header = f"From: {CONTACT}\r\nMessage-ID: <%s@x>\r\n"
    malformed = [
        header % "nul" + "Subject: a\0b\r\n\r\nc\0d",
        header % "charset" + "Subject: =?klingon?q?=FF?=\r\nContent-Type: text/plain; charset=punycode\r\n\r\n\xff",
        header % "boundary" + "Content-Type: multipart/mixed\r\n\r\n--x\r\n",
        header % "nested"
        + "".join(f"Content-Type: multipart/mixed; boundary={n}\r\n\r\n--{n}\r\n" for n in range(200)),
        header % "base64" + "Content-Transfer-Encoding: base64\r\n\r\n!!!=A",
        header % ("long" * 100) + "Date: Mon, 99 Foo 20000 99:99:99 +9999\r\n\r\nx",
        header % "name" + f"To: {'x' * 5000} <{'y' * 400}@z>, {'(' * 3000}\r\n\r\n",
        f"From: {CONTACT}\r\n\r\nno message id",
        f"From: {CONTACT}\r\n\r\nno message id and another size",
    ]
    for each in malformed:
        mailbox.append(each.encode("latin-1").replace(b"\0", b"\x01"))  # Dovecot takes no NUL
    mailbox.append(letter(message_id="good@x"))
    report = sync_account(account.pk)
    assert report.error is None
    assert report.stored == account.messages.count() == len(malformed) + 1
    assert "good@x" in stored_ids(account)


def test_a_message_the_database_refuses_is_kept_without_its_body_and_stops_nothing(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [new_id() for _ in range(5)]
    for number, each in enumerate(ids):
        mailbox.append(letter(message_id=each, text="unstorable" if number == 2 else "fine"))
    original = bodies.parse_message

    def with_half_a_character(raw: bytes, *, truncated: bool) -> object:
        content = original(raw, truncated=truncated)
        return replace(content, text="\ud800") if "unstorable" in content.text else content

    monkeypatch.setattr(bodies, "parse_message", with_half_a_character)
    report = sync_account(account.pk)
    assert report.error is None
    assert stored_ids(account) == sorted(ids)
    assert account.messages.get(has_body=False).message_id == ids[2]
    assert account.folders.get(name="INBOX").history_below == 0


def test_when_the_database_refuses_one_after_another_the_cursor_stays(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault is ours then: leaving out a mailbox message by message would lose it."""
    monkeypatch.setattr(examine, "REFUSALS", 2)
    for _ in range(8):
        mailbox.append(letter())

    def unstorable(raw: bytes, **rest: object) -> object:
        headers = parse_headers(raw, **rest)  # type: ignore[arg-type]  # as it was called
        vars(headers)["subject"] = "\ud800"  # as if it had been read like that
        return headers

    with monkeypatch.context() as patch:
        patch.setattr("mailaccounts.services.syncing.letters.parse_headers", unstorable)
        with pytest.raises(ValueError, match="surrogates"):
            sync_account(account.pk)
    assert account.folders.get(name="INBOX").history_below >= 7
    account.refresh_from_db()
    assert (account.status, account.lease_owner) == ("waiting", "")


def test_the_network_is_never_used_inside_a_transaction(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox.append(letter())
    talks = []

    def watch(name: str) -> None:
        original = getattr(ImapSession, name)

        def watched(self: ImapSession, *args: object, **kwargs: object) -> object:
            talks.append((name, connection.in_atomic_block))
            return original(self, *args, **kwargs)

        monkeypatch.setattr(ImapSession, name, watched)

    for name in ("folders", "select", "search", "headers", "bodies", "logout"):
        watch(name)
    assert sync_account(account.pk).stored == 1
    assert {name for name, _ in talks} == {"folders", "select", "search", "headers", "bodies", "logout"}
    assert not any(inside for _, inside in talks)


def test_the_number_of_queries_does_not_grow_with_the_batch(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Announcing is left out: receivers are the host's, and work message by message."""
    monkeypatch.setattr(sync, "announce", lambda account_id: 0)
    monkeypatch.setattr(examine, "announce", lambda account_id: 0)
    mailbox.append(letter(STRANGER))  # which a sync looks back at, once there is a new conversation
    sync_account(account.pk)
    counts = []
    for size in (4, 40):
        first = new_id()
        for number in range(size):
            mailbox.append(letter(answers=[first] if number % 2 else [], attachment=b"x"))
            mailbox.append(letter(STRANGER))
        with CaptureQueriesContext(connection) as queries:
            assert sync_account(account.pk).stored == size
        counts.append(len(queries))
    assert in_force.header_batch >= 80
    assert counts[0] == counts[1]


def test_nor_with_what_changed_of_it(account: MailAccount, mailbox: SandboxMailbox, contact: Contact) -> None:
    for _ in range(60):
        mailbox.append(letter())
    sync_account(account.pk)
    counts = []
    for flagged, expunged in (("1:2", "3"), ("4:30", "31:50")):
        with imap_of(mailbox) as imap:
            imap.select("INBOX")
            imap.uid("STORE", flagged, "+FLAGS", r"(\Flagged)")
            imap.uid("STORE", expunged, "+FLAGS", r"(\Deleted)")
            imap.expunge()
        with CaptureQueriesContext(connection) as queries:
            sync_account(account.pk)
        counts.append(len(queries))
    inbox = account.folders.get(name="INBOX")
    assert (inbox.uids.count(), inbox.uids.filter(flags=r"\Flagged").count()) == (39, 29)
    assert counts[0] == counts[1]


def test_where_nothing_is_new_one_round_trip_after_the_login_says_so_for_all_folders(
    account: MailAccount, mailbox: SandboxMailbox
) -> None:
    for number in range(5):
        mailbox.append(letter(STRANGER), folder=f"Folder {number}")
    sync_account(account.pk)
    report = sync_account(account.pk)
    assert (report.folders, report.examined) == (7, 0)
    assert report.round_trips == 2  # sign-in, LIST
    commands = [command.split(" ", 2)[1] for command in mailbox.rawlogs()[-1].commands]
    assert commands[-2:] == ["LIST", "LOGOUT"]
    assert not {"EXAMINE", "SELECT", "UID", "STATUS"} & set(commands)
