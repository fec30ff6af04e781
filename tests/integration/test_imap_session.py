"""ImapSession against Dovecot: signing in, folders, reading; with all its extensions and with next to none."""

from __future__ import annotations

import logging
import shutil
import tempfile
import traceback
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from imapclient.imap_utf7 import encode

from mailaccounts.backends.plain_login import PasswordAuthenticator
from mailaccounts.crypto import Secret
from mailaccounts.errors import (
    CertificateUntrusted,
    ConnectionLost,
    FolderMissing,
    MailAccountsError,
    PasswordRejected,
    UnsafeArgument,
)
from mailaccounts.mail.imap import ImapSession
from mailaccounts.mail.imap_connection import quote
from mailaccounts.mail.network import Network
from mailaccounts.mail.types import FolderRole, Limits
from mailaccounts.testing.sandbox import Sandbox, SandboxUser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox_fixtures import SandboxMailbox

RAW = b"From: Ann <ann@customer.example>\r\nTo: me@sandbox.test\r\nSubject: %s\r\nMessage-ID: <%s@x>\r\n\r\n%s\r\n"


def message(number: int, body: bytes = b"Hello") -> bytes:
    return RAW % (b"Message %d" % number, b"m%d" % number, body)


def network_of(sandbox: Sandbox) -> Network:
    return Network.from_text(
        allow=("127.0.0.0/8", "::1"), ports=(993,), ca_bundle=str(sandbox.ca_file), limits=Limits(read_seconds=10)
    )


def sign_in(mailbox: SandboxMailbox, *, password: str | None = None, starttls: bool = False) -> ImapSession:
    secret = Secret(mailbox.password if password is None else password)
    endpoint = mailbox.sandbox.imap_starttls if starttls else mailbox.sandbox.imap
    authenticator = PasswordAuthenticator(mailbox.address, secret)
    return ImapSession.open(endpoint, authenticator, network=network_of(mailbox.sandbox))


@pytest.fixture
def session(mailbox: SandboxMailbox) -> Iterator[ImapSession]:
    with sign_in(mailbox) as session:
        yield session


@pytest.mark.parametrize("starttls", [False, True])
def test_a_password_signs_in_over_tls_and_over_starttls(mailbox: SandboxMailbox, starttls: bool) -> None:
    with sign_in(mailbox, starttls=starttls) as session:
        assert "UIDPLUS" in session.capabilities
        assert session.select("INBOX").exists == 0
        assert session.traffic.round_trips == (4 if starttls else 2)  # the login, and all that came after it
        assert session.traffic.bytes_received > 0
    assert session.closed


def test_the_capabilities_are_those_after_the_login(session: ImapSession) -> None:
    assert "CONDSTORE" in session.capabilities
    assert not {name for name in session.capabilities if name.startswith("AUTH=")}


def test_a_wrong_password_is_rejected_without_telling_it(
    mailbox: SandboxMailbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = f"not-{mailbox.password}"
    with pytest.raises(PasswordRejected) as caught:
        sign_in(mailbox, password=wrong)
    told = "".join(traceback.format_exception(caught.value)) + caplog.text + repr(caught.value.as_json())
    assert wrong not in told
    assert caught.value.__context__ is None


def test_no_frame_of_a_failed_login_holds_the_credential(mailbox: SandboxMailbox) -> None:
    with pytest.raises(PasswordRejected) as caught:
        sign_in(mailbox, password="not-the-secret")
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    ours = [frame for frame in frames if "/tests/" not in frame.f_code.co_filename]
    assert ours
    for frame in ours:
        assert "not-the-secret" not in repr(frame.f_locals)


def test_a_password_with_letters_of_any_script_signs_in(mailbox: SandboxMailbox) -> None:
    user = SandboxUser(address=mailbox.address, password="pässwörd-пароль-🔑")
    mailbox.sandbox.add_user(user)
    with sign_in(mailbox, password=user.password) as session:
        assert session.select("INBOX").uidvalidity > 0


def test_an_untrusted_certificate_is_refused(mailbox: SandboxMailbox) -> None:
    network = Network.from_text(allow=("127.0.0.0/8", "::1"), ports=(), ca_bundle="", limits=Limits())
    authenticator = PasswordAuthenticator(mailbox.address, Secret("never sent"))
    for endpoint in (mailbox.sandbox.imap, mailbox.sandbox.imap_starttls):
        with pytest.raises(CertificateUntrusted):
            ImapSession.open(endpoint, authenticator, network=network)


def test_folders_come_with_their_roles_and_the_inbox_first(mailbox: SandboxMailbox) -> None:
    with sign_in(mailbox) as session:
        for name in ("Büro & Co", 'with "quotes"', "1234", "Projekte/2026", "日本語"):
            session._imap.run("CREATE", quote(encode(name), what="name"))
        folders = session.folders()
        assert folders[0].name == "INBOX"
        assert folders[0].role is FolderRole.INBOX
        names = {folder.name for folder in folders}
        assert {"Büro & Co", 'with "quotes"', "1234", "Projekte/2026", "日本語"} <= names
        assert {folder.delimiter for folder in folders} == {"/"}
        assert {folder.name: folder.role for folder in folders}["Sent"] is FolderRole.SENT
        for folder in folders:
            if folder.selectable:
                session.select(folder.name)


def test_selecting_a_missing_folder_leaves_the_session_usable(session: ImapSession) -> None:
    with pytest.raises(FolderMissing):
        session.select("no such folder")
    assert session.select("INBOX").uidvalidity > 0


@pytest.mark.parametrize("name", ["a\r\nA1 DELETE INBOX", "a\nb", "a\0b"])
def test_line_breaks_in_a_folder_name_never_reach_the_server(session: ImapSession, name: str) -> None:
    with pytest.raises(UnsafeArgument):
        session.select(name)
    assert session.select("INBOX").uidvalidity > 0


def test_headers_and_bodies_come_as_they_were_filed(mailbox: SandboxMailbox) -> None:
    when = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    for number in range(1, 6):
        mailbox.append(message(number, body=b"\xff\xfe raw 8-bit %d" % number), when=when)
    with sign_in(mailbox) as session:
        state = session.select("INBOX")
        assert (state.exists, state.uidnext) == (5, 6)
        uids = session.search()
        assert uids == [1, 2, 3, 4, 5]
        [headers] = session.headers([5, 3, 1, 99])
        assert [item.uid for item in headers] == [5, 3, 1]
        assert headers[0].internal_date == when
        assert headers[0].size == len(message(5, body=b"\xff\xfe raw 8-bit 5"))
        assert b"Subject: Message 5\r\n" in headers[0].header
        bodies = list(session.bodies({2: 100, 4: 100}, max_bytes=10_000))
        assert [(item.uid, item.truncated) for item in bodies] == [(2, False), (4, False)]
        assert bodies[0].raw == message(2, body=b"\xff\xfe raw 8-bit 2")


def test_a_long_body_is_cut_and_says_so(mailbox: SandboxMailbox) -> None:
    raw = message(1, body=b'"' + b"x" * 300_000 + b'"')
    mailbox.append(raw)
    with sign_in(mailbox) as session:
        session.select("INBOX")
        [cut] = session.bodies({1: len(raw)}, max_bytes=100_000)
        [exact] = session.bodies({1: len(raw)}, max_bytes=len(raw))
        [whole] = session.bodies({1: len(raw)}, max_bytes=10**12)  # more than the budgets allow, and than 32 bits hold
        assert (cut.raw, cut.truncated) == (raw[:100_000], True)
        assert (exact.raw, exact.truncated) == (whole.raw, whole.truncated) == (raw, False)


def test_only_new_uids_are_listed_and_only_recent_mail_when_asked(mailbox: SandboxMailbox) -> None:
    mailbox.append(message(1), when=datetime(2020, 1, 1, 12, tzinfo=UTC))
    mailbox.append(message(2), when=datetime(2026, 1, 1, 12, tzinfo=UTC))
    with sign_in(mailbox) as session:
        session.select("INBOX")
        assert session.search() == [1, 2]
        assert session.search(since=date(2025, 6, 1)) == [2]
        assert session.search(above=1) == [2]
        assert session.search(above=2) == []  # though the server answers n:* with its last message
        assert session.search(above=2**32 - 1) == []


def test_reading_marks_nothing_as_seen_and_asks_for_peeks_only(mailbox: SandboxMailbox) -> None:
    mailbox.append(message(1))
    with sign_in(mailbox) as session:
        session.select("INBOX")
        list(session.headers([1]))
        list(session.bodies({1: 100}, max_bytes=1000))
        assert next(session.headers([1]))[0].flags & {"\\Seen"} == set()
    commands = [line for log in mailbox.rawlogs() for line in log.commands]
    fetches = [line for line in commands if "FETCH" in line]
    assert len(fetches) == 3
    assert all("BODY.PEEK[" in line and "BODY[" not in line for line in fetches)
    assert [line for line in commands if "EXAMINE" in line]
    assert not [line for line in commands if "SELECT" in line]


def test_a_message_expunged_meanwhile_is_missing_and_hurts_nobody(mailbox: SandboxMailbox) -> None:
    for number in range(1, 4):
        mailbox.append(message(number))
    with sign_in(mailbox) as session, sign_in(mailbox) as other:
        session.select("INBOX")
        other.select("INBOX", readonly=False)
        other._imap.run("UID", "STORE", "2", "+FLAGS", "(\\Deleted)")
        other._imap.run("EXPUNGE")
        session._imap.run("NOOP")  # until it is told, Dovecot still hands the message out
        assert [item.uid for batch in session.headers([1, 2, 3]) for item in batch] == [1, 3]
        assert [item.uid for item in session.bodies(dict.fromkeys([1, 2, 3], 100), max_bytes=1000)] == [1, 3]


def test_no_mail_and_no_credential_reaches_the_debug_log(
    mailbox: SandboxMailbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    mailbox.append(message(1, body=b"what only the two of us may know"))
    caplog.clear()
    with sign_in(mailbox) as session:
        session.select("INBOX")
        list(session.headers([1]))
        list(session.bodies({1: 100}, max_bytes=1000))
        with pytest.raises(FolderMissing):
            session.select("nowhere")
    assert "answered EXAMINE with NO" in caplog.text
    for private in ("only the two of us", "Message 1", "customer.example", mailbox.password):
        assert private not in caplog.text


def test_a_session_that_was_closed_says_so(session: ImapSession) -> None:
    session.close()
    with pytest.raises(ConnectionLost):
        session.folders()
    session.logout()  # and leaving twice is no error


def test_many_uids_fit_because_neighbours_are_sent_as_ranges(session: ImapSession) -> None:
    session.select("INBOX")
    assert not any(session.headers(list(range(1, 20_001))))
    assert not any(session.headers(list(range(4_000_000_000, 4_000_001_000, 2))))


@pytest.fixture(scope="module")
def bare_sandbox() -> Iterator[Sandbox]:
    """Dovecot that announces nothing beyond IMAP4rev1 and UIDPLUS."""
    directory = Path(tempfile.mkdtemp(prefix="mailaccounts-bare-"))
    directory.chmod(0o711)
    user = SandboxUser(address="bare@sandbox.test", password="bare-password")
    try:
        with Sandbox(directory, users=[user], imap_capability="IMAP4rev1 UIDPLUS") as sandbox:
            yield sandbox
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def test_a_server_with_nothing_but_imap4rev1_and_uidplus_will_do(bare_sandbox: Sandbox) -> None:
    bare_sandbox.append("bare@sandbox.test", message(1))
    authenticator = PasswordAuthenticator("bare@sandbox.test", Secret("bare-password"))
    with ImapSession.open(bare_sandbox.imap, authenticator, network=network_of(bare_sandbox)) as session:
        assert session.capabilities == {"IMAP4REV1", "UIDPLUS"}
        assert {folder.role for folder in session.folders()} >= {FolderRole.INBOX, FolderRole.SENT}
        assert session.select("INBOX").exists == 1
        assert session.search() == [1]
        assert [item.uid for item in next(session.headers([1]))] == [1]


def test_every_error_of_the_session_is_one_of_ours(mailbox: SandboxMailbox) -> None:
    with sign_in(mailbox) as session, pytest.raises(MailAccountsError):
        list(session.headers([1]))  # nothing is selected
