"""Filing a message over IMAP, at Dovecot and at servers that don't want it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mailaccounts.errors import ConnectionLost, FolderMissing, MailAccountsError, MailboxFull, UnsafeArgument
from mailaccounts.services.signing_in.login import open_imap
from tests.integration.hostile import Peer, imap_login, refused, tag, use

if TYPE_CHECKING:
    from mailaccounts.mail.imap import ImapSession
    from mailaccounts.models import MailAccount
    from tests.integration.hostile import Authority
    from tests.sandbox_fixtures import SandboxMailbox

LETTER = b"Message-ID: <one@example.test>\r\nSubject: x\r\n\r\nHello\r\n"


def file(session: ImapSession) -> None:
    session.append("Sent", LETTER)


def test_a_filed_message_is_found_and_was_read(account: MailAccount, mailbox: SandboxMailbox) -> None:
    with open_imap(account) as session:
        session.select("INBOX")
        assert not session.holds("one@example.test")
        session.append("INBOX", LETTER)
        session.append("Sent", LETTER)
        assert session.holds("one@example.test")
        session.select("Sent")
        (uid,) = session.search()
        assert session.marks([uid])[uid].flags == {"\\Seen"} | session.marks([uid])[uid].flags
        (body,) = session.bodies({uid: 0}, max_bytes=1000)
        assert body.raw == LETTER
        with pytest.raises(FolderMissing):
            session.append("Nowhere", LETTER)
        assert session.holds("one@example.test"), "the session goes on"
    assert mailbox.message_ids()["Sent"] == ["<one@example.test>"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b" NO [OVERQUOTA] full\r\n", MailboxFull),
        (b" NO [TRYCREATE] none such\r\n", FolderMissing),
        (b"", ConnectionLost),
    ],
)
def test_a_refusal_names_its_cause(authority: Authority, answer: bytes, error: type[MailAccountsError]) -> None:
    def script(peer: Peer) -> None:
        imap_login(peer)
        line = peer.line()
        if answer:
            peer.send(tag(line), answer)
            peer.line()

    refused(authority, error, script, file)


def test_a_message_goes_as_a_literal_once_the_server_wants_it(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        imap_login(peer)
        line = peer.line()
        peer.send(b"+ go on\r\n")
        for _ in range(5):
            peer.line()
        peer.send(b"* 1 EXISTS\r\n", tag(line), b" OK [APPENDUID 1 1] done\r\n")
        peer.line()

    heard = use(authority, script, file)
    assert b'APPEND "Sent" (\\Seen) {%d}\r\n%s\r\n' % (len(LETTER), LETTER) in heard


def test_a_folder_with_a_line_break_is_no_command(account: MailAccount) -> None:
    with open_imap(account) as session, pytest.raises(UnsafeArgument):
        session.append("Sent\r\nA LOGOUT", LETTER)
