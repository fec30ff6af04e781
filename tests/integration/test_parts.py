"""Big messages: read part by part, with nothing of what is attached; the same as if they had been read whole."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from mailaccounts.mail.parse import parse_message
from mailaccounts.services.signing_in.login import open_imap
from mailaccounts.services.syncing.sync import sync_account
from mailaccounts.testing.mailbox import Person, generate
from tests.integration.test_imap_session import sign_in
from tests.letters import CONTACT, letter

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from crm.models import Contact
    from mailaccounts.mail.imap import ImapSession
    from mailaccounts.mail.imap_parts import FetchedParts
    from mailaccounts.models import MailAccount
    from tests.sandbox_fixtures import SandboxMailbox

MANY = 2_000  # parts of one message: Dovecot's answer to BODYSTRUCTURE is longer than what is looked at


def parts_of(session: ImapSession, uid: int, *, max_bytes: int = 2**20, seconds: float = 60) -> FetchedParts | None:
    return session.parts(uid, max_bytes=max_bytes, until=time.monotonic() + seconds)


def test_a_message_says_the_same_in_parts_as_whole(mailbox: SandboxMailbox) -> None:
    owner, contact = Person(name="Anna", address="anna@x.test"), Person(name="Maria", address=CONTACT)
    generated = generate(
        200, seed=3, owner=owner, contacts=[contact], malformed=0, attached=0.6, attachment_bytes=(1_000, 9_000)
    )
    raws = [message.raw for message in generated if b"multipart" in message.raw][:40]
    for raw in raws:
        mailbox.append(raw)
    with sign_in(mailbox) as session:
        session.select("INBOX")
        for uid, raw in enumerate(raws, start=1):
            parts, whole = parts_of(session, uid), parse_message(raw)
            assert parts is not None
            content = parts.content()
            assert (content.text, content.html, content.truncated) == (whole.text, whole.html, False)
            described = [replace(each, size=0) for each in content.attachments]
            assert described == [replace(each, size=0) for each in whole.attachments]
            for told, true in zip(content.attachments, whole.attachments, strict=True):
                assert abs(told.size - true.size) <= 3


def test_what_is_attached_is_not_downloaded(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, settings: SettingsWrapper
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "BODY_BATCH_BYTES": 50_000}
    mailbox.append(letter(text="See the offer", html="<p>See the <b>offer</b></p>", attachment=bytes(300_000)))
    report = sync_account(account.pk)
    assert (report.error, report.stored, report.bodies_fetched) == (None, 1, 1)
    assert report.bytes_fetched < 20_000
    assert not [line for line in mailbox.rawlogs()[-1].commands if "BODY.PEEK[]" in line]
    message = account.messages.get()
    assert message.has_body and not message.truncated
    assert (message.body_text.strip(), message.body_html.strip()) == ("See the offer", "<p>See the <b>offer</b></p>")
    attachment = message.attachments.get()
    assert (attachment.name, attachment.content_type) == ("offer.pdf", "application/pdf")
    assert abs(attachment.size - 300_000) <= 3


def test_text_longer_than_the_limit_or_too_slow_is_cut_off(mailbox: SandboxMailbox) -> None:
    mailbox.append(letter(text=("z" * 70 + "\n") * 8_000, attachment=bytes(1_000)))
    with sign_in(mailbox) as session:
        session.select("INBOX")
        cut, late = parts_of(session, 1, max_bytes=10_000), parts_of(session, 1, seconds=-1)
        assert parts_of(session, 2) is None
    assert cut is not None and (cut.truncated, cut.late) == (True, False)
    assert len(cut.content().text) <= 10_000 and len(cut.attachments) == 1
    assert late is not None and (late.truncated, late.late) == (True, True)
    assert 200_000 < len(late.content().text) < 300_000


def test_a_message_of_countless_parts_is_read_whole_and_stops_nobody(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, settings: SettingsWrapper
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "BODY_BATCH_BYTES": 50_000}
    part = b'--b\r\nContent-Type: text/plain; name="\xc3\xb6%s"\r\n\r\nx\r\n' % (b"n" * 60)
    head = b"From: Maria <%s>\r\nMessage-ID: <many@x.test>\r\n" % CONTACT.encode()
    mailbox.append(head + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + part * MANY + b"--b--\r\n")
    mailbox.append(letter(message_id="after@x.test"))
    with open_imap(account) as session:
        session.select("INBOX")
        assert session.structures([1, 2]).keys() == {2}
    report = sync_account(account.pk)
    assert (report.error, report.stored) == (None, 2)
    assert account.messages.get(message_id="many@x.test").has_body


def test_pymap_tells_parts_as_well(pymap_mailbox: SandboxMailbox) -> None:
    raw = letter(text="See the offer", html="<p>Offer</p>", attachment=bytes(30_000))
    pymap_mailbox.append(raw)
    with sign_in(pymap_mailbox) as session:
        session.select("INBOX")
        (uid,) = session.search()
        parts = parts_of(session, uid)
    assert parts is not None
    content, whole = parts.content(), parse_message(raw)
    assert (content.text.strip(), content.html.strip()) == (whole.text.strip(), whole.html.strip())
    assert [each.name for each in content.attachments] == ["offer.pdf"]
