"""Mail, folders and servers that could stop a sync, or keep a worker."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from crm.hooks import CrmHooks
from mailaccounts.errors import ConnectionTimedOut, Remedy
from mailaccounts.mail import imap_reader
from mailaccounts.mail.headers import MAX_ADDRESSES
from mailaccounts.mail.imap import ImapSession
from mailaccounts.mail.types import FolderInfo, FolderRole
from mailaccounts.services.limits import lease
from mailaccounts.services.signing_in import login
from mailaccounts.services.signing_in.login import open_imap
from mailaccounts.services.storing import folders
from mailaccounts.services.syncing import examine
from mailaccounts.services.syncing.sync import sync_account
from tests.integration.hostile import PAUSE, Authority, HostileServer, Peer, Person, endpoint, imap_login
from tests.integration.mailboxes import imap_of, stored_ids
from tests.letters import CONTACT, STRANGER, letter

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from crm.models import Contact
    from mailaccounts.mail.types import FolderState
    from mailaccounts.models import MailAccount
    from mailaccounts.services.limits.lease import Lease
    from mailaccounts.services.syncing.store import Batch
    from tests.sandbox_fixtures import SandboxMailbox


def test_long_headers_of_many_strangers_do_not_keep_a_contacts_mail_away(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact
) -> None:
    to = b"To: " + b",\r\n ".join(b"somebody-%d@elsewhere.test" % number for number in range(9000))
    with imap_of(mailbox) as other:
        for number in range(180):
            raw = b"From: %s\r\n%s\r\nMessage-ID: <%d@x>\r\n\r\nx" % (STRANGER.encode(), to, number)
            assert other.append("INBOX", "", "", raw)[0] == "OK"
    mailbox.append(letter(message_id="contact@x"))
    report = sync_account(account.pk)
    assert report.error is None
    assert stored_ids(account) == ["contact@x"]


def test_a_folder_deleted_while_it_is_read_costs_the_others_one_more_sync(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox.append(letter(message_id="gone@x"), folder="Archive 1")
    mailbox.append(letter(message_id="kept@x"), folder="Archive 2")
    original = ImapSession.select
    deleted = []

    def then_delete(self: ImapSession, name: str, **rest: Any) -> FolderState:
        state = original(self, name, **rest)
        if name == "Archive 1" and not deleted:
            with imap_of(mailbox) as other:
                deleted.append(other.delete('"Archive 1"'))
        return state

    monkeypatch.setattr(ImapSession, "select", then_delete)
    report = sync_account(account.pk)  # Dovecot ends the session
    assert report.error is not None and report.error.remedy is Remedy.WAIT
    assert sync_account(account.pk).error is None
    assert stored_ids(account) == ["kept@x"]


def test_words_of_people_in_a_reply_field_tie_no_conversations_together(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact
) -> None:
    """``In-Reply-To`` as old programs write it names the person answered, and everybody answers that person."""
    for number, sender in enumerate((CONTACT, STRANGER)):
        field = b"In-Reply-To: Your message of Mon from jo@sandbox.test\r\n"
        raw = field + letter(sender, message_id=f"{number}@x")
        mailbox.append(raw)
    sync_account(account.pk)
    assert stored_ids(account) == ["0@x"]


def test_a_sync_out_of_time_between_folders_goes_on_with_those_it_had_not_come_to(
    account: MailAccount, mailbox: SandboxMailbox, settings: SettingsWrapper
) -> None:
    """A server that takes a second for each of a thousand folders must not keep the worker, nor keep the last ones."""
    names = [f"Folder {number}" for number in range(4)]
    for name in names:
        mailbox.append(letter(STRANGER), folder=name)
    everything = sync_account(account.pk).folders
    for name in names:
        mailbox.append(letter(STRANGER), folder=name)
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SYNC_BUDGET": 0}
    seen = len(mailbox.rawlogs())
    reports = [sync_account(account.pk) for _ in names]
    assert [(report.examined, report.finished) for report in reports] == [(1, False)] * 3 + [(1, True)]
    opened = [
        command.partition(" ")[2].split('"')[1]
        for log in mailbox.rawlogs()[seen:]
        for command in log.commands
        if "EXAMINE" in command
    ]
    assert opened == names
    assert not account.folders.filter(put_off=True).exists()
    assert sync_account(account.pk).folders == everything


def test_a_long_message_comes_in_pieces(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap_reader, "PIECE", 700_000)
    text = "".join(f"{number:070}\n" for number in range(14_000))  # about a million characters, of a longer message
    mailbox.append(letter(text=text, attachment=b"x" * 500_000))
    report = sync_account(account.pk)
    assert report.bodies_fetched == 1
    message = account.messages.get()
    assert message.body_text == text and not message.truncated
    assert abs(message.attachments.get().size - 500_000) <= 3
    pieces = [command for command in mailbox.rawlogs()[-1].commands if "BODY.PEEK[1]" in command]
    assert len(pieces) == 2
    assert "<700000.700000>" in pieces[1]


@pytest.mark.parametrize("limit", [699_999, 700_000, 1_400_000, 1_500_000])
def test_a_message_in_pieces_is_cut_off_at_exactly_the_limit(
    account: MailAccount, mailbox: SandboxMailbox, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(imap_reader, "PIECE", 700_000)
    raw = b"Subject: x\r\n\r\n" + b"y" * 70 + b"\r\n" + (b"z" * 70 + b"\r\n") * 22_000
    mailbox.append(raw)
    with open_imap(account) as session:
        session.select("INBOX")
        cut = session.long_body(1, max_bytes=limit, until=time.monotonic() + 60)
        whole = session.long_body(1, max_bytes=len(raw), until=time.monotonic() + 60)
        late = session.long_body(1, max_bytes=len(raw), until=0)
        assert session.long_body(2, max_bytes=limit, until=0) is None
    assert cut is not None and (cut.raw, cut.truncated) == (raw[:limit], True)
    assert whole is not None and (whole.raw, whole.truncated) == (raw, False)
    assert late is not None and (late.raw, late.truncated) == (raw[:700_000], True)


@pytest.mark.parametrize("budget", [0, 120])
def test_a_message_too_long_for_a_slow_server_waits_for_a_whole_sync_and_is_then_cut_off(
    account: MailAccount,
    mailbox: SandboxMailbox,
    contact: Contact,
    settings: SettingsWrapper,
    monkeypatch: pytest.MonkeyPatch,
    budget: int,
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SYNC_BUDGET": budget, "BODY_BATCH_BYTES": 5000}
    mailbox.append(letter(message_id="long@x", text="x" * 70 + "\n" + ("y" * 70 + "\n") * 200))
    original = ImapSession.long_body
    monkeypatch.setattr(imap_reader, "PIECE", 3000)
    monkeypatch.setattr(
        ImapSession,
        "long_body",
        lambda self, uid, **options: original(self, uid, **{**options, "until": 0}),
    )
    report = sync_account(account.pk)
    assert report.error is None
    if budget:
        assert report.finished and account.messages.get().truncated
    else:  # hardly any time was left for it
        assert not report.finished and not account.messages.exists()
        assert account.folders.get(name="INBOX").history_below == 2


def test_addresses_by_the_thousand_are_asked_for_and_stored_in_bounded_steps(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, written = [], []
    ask, write = CrmHooks.known_addresses, examine.store_batch

    def count_asked(self: CrmHooks, account: MailAccount, addresses: set[str]) -> set[str]:
        asked.append(len(addresses))
        return ask(self, account, addresses)

    def count_written(held: Lease, batch: Batch) -> int:
        written.append(sum(len(found.headers.participants) for found in batch.found))
        return write(held, batch)

    monkeypatch.setattr(CrmHooks, "known_addresses", count_asked)
    monkeypatch.setattr(examine, "store_batch", count_written)
    for number in range(25):
        people = [f"p{number}-{each}@x.test" for each in range(3000)]
        fields = "".join(f"{name}: {','.join(people[at::3])}\r\n" for at, name in enumerate(("To", "Cc", "Bcc")))
        mailbox.append(f"From: {CONTACT}\r\nMessage-ID: <{number}@x>\r\n{fields}\r\nx".encode())
    assert sync_account(account.pk).stored == 25
    assert account.messages.count() == 25
    assert len(asked) == 3 and max(asked) <= 10_000
    assert sum(written) == 25 * MAX_ADDRESSES
    assert max(written) <= 11_000


def test_without_uidnext_an_expunged_message_makes_nobody_begin_again(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = ImapSession.select

    def untold(self: ImapSession, name: str, **rest: Any) -> FolderState:
        return replace(original(self, name, **rest), uidnext=0)

    monkeypatch.setattr(ImapSession, "select", untold)
    for each in ("a@x", "b@x", "c@x"):
        mailbox.append(letter(message_id=each))
    assert sync_account(account.pk).examined == 3
    with imap_of(mailbox) as other:
        other.select("INBOX")
        other.uid("STORE", "3", "+FLAGS", r"(\Deleted)")
        other.expunge()
    assert sync_account(account.pk).examined == 0
    mailbox.append(letter(message_id="d@x"))
    assert sync_account(account.pk).examined == 1
    assert stored_ids(account) == ["a@x", "b@x", "c@x", "d@x"]


def test_folders_by_the_ten_thousand_are_remembered_in_seconds(account: MailAccount) -> None:
    infos = [FolderInfo(name=f"F{n}", delimiter="/", role=FolderRole.OTHER, selectable=True) for n in range(20_000)]
    held = lease.claim(account)
    assert held is not None
    rows = folders.remember(account, infos, rows={}, give_up=True, held=held)
    started = time.process_time()
    folders.remember(account, infos[1:], rows=rows, give_up=True, held=held)
    assert time.process_time() - started < 3
    assert account.folders.get(missing_since__isnull=False).name == "F0"


def test_a_server_that_goes_on_and_on_does_not_keep_a_person_waiting(
    authority: Authority, settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(peer: Peer) -> None:
        imap_login(peer)
        while True:
            peer.send(b"* OK ", b"x" * 8192, b"\r\n")
            PAUSE.wait(0.1)

    monkeypatch.setattr(login, "PROOF_SECONDS", 2)
    world = {"CA_BUNDLE": str(authority.ca_file), "ALLOW_PRIVATE_HOSTS": ["127.0.0.1"]}
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, **world}
    started = time.monotonic()
    with HostileServer(script, context=authority.context()) as server, pytest.raises(ConnectionTimedOut):
        login.verify(imap=endpoint(server.port), smtp=None, authenticator=Person())
    assert time.monotonic() - started < 30
