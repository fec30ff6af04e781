"""Contact and user write to each other: from the contact's mail program to the timeline, the answer, and back."""

from __future__ import annotations

import email
import email.policy
import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from mailaccounts.models import MailAccount, Message, Outgoing, OutgoingState
from tests.app.builders import make_account, make_credential
from tests.browser.person import WIDE
from tests.crm.builders import make_contact
from tests.crm_process import wait_until
from tests.integration.sandbox_clients import imap_connection, smtp_connection
from tests.letters import letter, new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from email.message import EmailMessage

    from mailaccounts.testing.sandbox import Sandbox
    from tests.browser.person import Person
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


class Contact:
    """Maria, with a mail program of her own."""

    def __init__(self, mailbox: SandboxMailbox) -> None:
        self.mailbox, self.address, self.world = mailbox, mailbox.address, mailbox.sandbox

    def write(self, to: str, subject: str, text: str, *, answers: Sequence[str] = ()) -> str:
        """Sends a message through her own server; its Message-ID."""
        message_id = new_id()
        raw = letter(self.address, to, subject, text, message_id=message_id, answers=answers)
        with smtp_connection(self.world.smtp, self.world.ca_file) as smtp:
            smtp.login(self.address, self.mailbox.password)
            smtp.sendmail(self.address, [to], raw)
        return message_id

    def inbox(self) -> list[EmailMessage]:
        with imap_connection(self.world.imap, self.world.ca_file) as imap:
            imap.login(self.address, self.mailbox.password)
            imap.select("INBOX", readonly=True)
            raws = [imap.fetch(each, "(BODY.PEEK[])")[1][0][1] for each in imap.search(None, "ALL")[1][0].split()]
        return [email.message_from_bytes(raw, policy=email.policy.default) for raw in raws]  # type: ignore[misc]  # as the policy makes them


@pytest.fixture
def maria(new_mailbox: Callable[[], SandboxMailbox]) -> Contact:
    contact = Contact(new_mailbox())
    make_contact(contact.address, name="Maria Anders")
    return contact


@pytest.fixture
def anna(new_person: Callable[..., Person]) -> Person:
    person = new_person(viewport=WIDE)
    person.sign_in()
    return person


@pytest.fixture
def account(anna: Person, world: Sandbox, mailbox: SandboxMailbox) -> MailAccount:
    made = make_account(
        anna.user,
        address=mailbox.address,
        imap_host=world.imap.host,
        imap_port=world.imap.port,
        smtp_host=world.smtp.host,
        smtp_port=world.smtp.port,
        signature="Anna",
    )
    make_credential(made, mailbox.password)
    return made


def fetch_mail(anna: Person, account: MailAccount, *, stored: int) -> None:
    """Has a worker fetch what came."""
    anna.page.goto(f"/settings/email-accounts/{account.pk}/")
    anna.page.get_by_role("button", name=re.compile("Sync now")).click()
    expect(anna.figure("Messages stored")).to_have_text(str(stored))
    expect(anna.synced).to_be_visible()


@pytest.mark.usefixtures("worker")
def test_a_contact_writes_is_answered_and_answers(
    anna: Person, account: MailAccount, mailbox: SandboxMailbox, maria: Contact
) -> None:
    page = anna.page
    asked = maria.write(account.address, "Offer for the racks", "Could you deliver in week 49?")
    fetch_mail(anna, account, stored=1)
    assert anna.subjects_on_timeline("Maria Anders") == ["Offer for the racks"]

    page.get_by_role("button", name="Reply", exact=True).click()
    expect(page.get_by_label("To", exact=True)).to_have_value(maria.address)
    expect(page.get_by_label("Subject")).to_have_value("Re: Offer for the racks")
    text = page.get_by_label("Message", exact=True)
    expect(text).to_have_value(re.compile("-- \nAnna\n\nOn .* wrote:\n> Could you deliver"))
    text.press("Control+Home")
    text.press_sequentially("We can, in week 49.")
    kept = Outgoing.objects.filter(body_text__startswith="We can, in week 49.")
    wait_until(kept.exists, what="what was typed is kept")
    page.reload()
    expect(text).to_have_value(re.compile("^We can, in week 49."))
    pdf = {"name": "Angebot.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 racks"}
    page.get_by_label("Files").set_input_files(pdf)  # type: ignore[arg-type]  # a FilePayload
    page.get_by_role("button", name="Attach").click()
    expect(page.get_by_role("button", name="Leave out Angebot.pdf")).to_be_visible()
    anna.look("reply")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("heading", name="Outbox")).to_be_visible()
    expect(page.locator('[data-state="sent"][data-filing="done"]')).to_be_visible()
    anna.look("outbox-sent")

    sent = account.outgoing.get()
    (got,) = maria.inbox()
    assert (sent.state, sent.attempts) == (OutgoingState.SENT, 1)
    assert got["Message-ID"] == f"<{sent.message_id}>"
    assert got["In-Reply-To"] == got["References"] == f"<{asked}>"
    body = got.get_body(("plain",))
    assert body is not None
    assert body.get_content().startswith("We can, in week 49.")
    assert [file.get_filename() for file in got.iter_attachments()] == ["Angebot.pdf"]
    assert [each.strip("<>") for each in mailbox.message_ids()["Sent"]] == [sent.message_id]

    maria.write(account.address, "Re: Offer for the racks", "Splendid.", answers=[asked, sent.message_id])
    fetch_mail(anna, account, stored=3)
    assert anna.subjects_on_timeline("Maria Anders") == ["Re: Offer for the racks"] * 2 + ["Offer for the racks"]
    assert len({each.thread_id for each in Message.objects.all()}) == 1
    assert anna.complaints == []
