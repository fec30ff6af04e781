"""What an author decides in the outbox, and from which address a message goes: against the sandbox's servers."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mailaccounts import tasks
from mailaccounts.mail.compose import Enclosure
from mailaccounts.models import Alias, Filing, MailAccount, Message, Outgoing, OutgoingState
from mailaccounts.services.sending import outgoing_due
from mailaccounts.services.syncing.sync import sync_account
from tests.app.builders import make_user
from tests.integration.sandbox_clients import imap_connection
from tests.letters import letter
from tests.outgoing import SECRET_WORDS, queued, work_off
from tests.sandbox_fixtures import new_user

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import EmailMessage

    from django.test import Client

    from tests.sandbox_fixtures import SandboxMailbox


@pytest.fixture
def colleague(new_mailbox: Callable[[], SandboxMailbox]) -> SandboxMailbox:
    """Somebody in the sandbox who gets mail."""
    return new_mailbox()


@pytest.fixture
def anna(client: Client, account: MailAccount) -> Client:
    """The account's owner at her browser."""
    client.force_login(account.owner)
    return client


def inbox(mailbox: SandboxMailbox) -> list[EmailMessage]:
    with imap_connection(mailbox.sandbox.imap, mailbox.sandbox.ca_file) as imap:
        imap.login(mailbox.address, mailbox.password)
        imap.select("INBOX", readonly=True)
        found = imap.search(None, "ALL")[1][0].split()
        raws = [imap.fetch(each, "(BODY.PEEK[])")[1][0][1] for each in found]  # type: ignore[index]  # as fetched
    return [email.message_from_bytes(raw, policy=email.policy.default) for raw in raws]  # type: ignore[misc]  # the policy's


def decide(client: Client, message: Outgoing, what: str) -> str:
    response = client.post(f"/mail/outbox/{message.pk}/", {"do": what})
    assert response.status_code == 302
    return str(response["Location"])


def test_whom_it_was_not_taken_for_gets_it_once_corrected_and_the_others_not_again(
    anna: Client,
    account: MailAccount,
    colleague: SandboxMailbox,
    new_mailbox: Callable[[], SandboxMailbox],
) -> None:
    late = new_mailbox()
    wrong = f"wrong-{new_user().address}"
    pdf = Enclosure(name="offer.pdf", content_type="application/pdf", content=b"%PDF")
    message = work_off(queued(account, colleague.address, wrong, enclosures=(pdf,)))
    assert (message.state, message.filing, message.raw) == (OutgoingState.SENT, Filing.DONE, None)
    page = anna.get("/mail/outbox/").content.decode()
    assert "Sent, not to everybody" in page
    assert wrong in page

    here = decide(anna, message, "to_refused")
    draft = Outgoing.objects.latest("pk")
    assert here == f"/mail/drafts/{draft.pk}/"
    assert [each.address for each in draft.recipients.all()] == [wrong]
    words = {"sender": account.pk, "to": late.address, "subject": draft.subject, "text": draft.body_text}
    anna.post(here, {**words, "do": "send"})
    assert work_off(draft).state == OutgoingState.SENT
    (got,) = inbox(late)
    assert SECRET_WORDS in got.as_string()
    assert [each.get_filename() for each in got.iter_attachments()] == ["offer.pdf"]
    assert len(inbox(colleague)) == 1

    message.refresh_from_db()
    assert (message.code, message.body_text, message.enclosed.count()) == ("", "", 0), "it is done with"
    assert decide(anna, message, "to_refused") == "/mail/outbox/"
    assert Outgoing.objects.count() == 2


def test_what_is_left_at_those_who_got_it_is_kept_no_longer(
    anna: Client, account: MailAccount, colleague: SandboxMailbox
) -> None:
    message = work_off(queued(account, colleague.address, f"wrong-{new_user().address}"))
    assert SECRET_WORDS in message.body_text
    decide(anna, message, "settle")
    message.refresh_from_db()
    assert (message.state, message.code, message.body_text) == (OutgoingState.SENT, "", "")


def test_what_may_have_been_sent_is_looked_for_when_its_author_asks(
    anna: Client, account: MailAccount, mailbox: SandboxMailbox, colleague: SandboxMailbox
) -> None:
    message = queued(account, colleague.address)
    raw = bytes(message.raw or b"")
    Outgoing.objects.update(state=OutgoingState.UNCERTAIN, next_at=None, failures=4)
    decide(anna, message, "look")
    assert work_off(message, jobs=1).state == OutgoingState.UNCERTAIN, "it isn't there"
    mailbox.append(raw, folder="Sent")
    decide(anna, message, "look")
    assert work_off(message, jobs=1).state == OutgoingState.SENT
    assert inbox(colleague) == []


def test_a_message_is_taken_back_and_discarded_only_while_that_is_true(anna: Client, account: MailAccount) -> None:
    message = queued(account, new_user().address)
    assert decide(anna, message, "discard") == "/mail/outbox/"
    assert decide(anna, message, "take_back") == f"/mail/drafts/{message.pk}/"
    decide(anna, message, "discard")
    assert not Outgoing.objects.exists()


def test_an_alias_is_proven_by_the_link_mailed_to_it_and_then_sent_from(
    anna: Client,
    account: MailAccount,
    mailbox: SandboxMailbox,
    colleague: SandboxMailbox,
    new_mailbox: Callable[[], SandboxMailbox],
) -> None:
    other = new_mailbox()
    here = f"/settings/email-accounts/{account.pk}/"
    page = anna.post(f"{here}aliases/", {"address": other.address}, follow=True).content.decode()
    assert "A link is on its way" in page
    alias = Alias.objects.get()
    work_off(Outgoing.objects.get())
    words = {"to": colleague.address, "subject": "Hello", "text": "Good morning"}
    from_alias = {**words, "sender": f"{account.pk} {alias.address}", "do": "send"}
    assert 'data-code="invalid"' in anna.post("/mail/new/", from_alias).content.decode(), "not yet"

    (letter,) = inbox(other)
    (link,) = re.findall(r"http://testserver(/\S+)", letter.get_content())
    anna.force_login(make_user())
    assert anna.post(link).status_code == 404, "nobody else's"
    anna.force_login(account.owner)
    assert anna.get(link).status_code == 200
    alias.refresh_from_db()
    assert alias.proven_at is None, "looking at it proves nothing"
    anna.post(link)

    anna.post("/mail/new/", from_alias)
    message = work_off(Outgoing.objects.get(author=account.owner))
    assert (message.state, message.code) == (OutgoingState.FAILED, "sender_refused"), (
        "the server has to let it as well"
    )
    mailbox.sandbox.add_user(replace(mailbox.user, shared=(other.address,)))
    decide(anna, message, "again")
    assert work_off(message).state == OutgoingState.SENT
    (got,) = inbox(colleague)
    assert got["From"] == alias.address

    draft = queued(account, colleague.address, sender=alias.address)
    anna.post(f"{here}aliases/{alias.pk}/remove/")
    decide(anna, draft, "take_back")
    page = anna.post(f"/mail/drafts/{draft.pk}/", from_alias).content.decode()
    assert 'data-code="invalid"' in page


def test_a_signature_with_a_line_break_in_the_name_is_refused(anna: Client, account: MailAccount) -> None:
    here = f"/settings/email-accounts/{account.pk}/writing/"
    assert (
        'data-code="unsafe_argument"' in anna.post(here, {"sender_name": "A\u2028B", "signature": ""}).content.decode()
    )
    anna.post(here, {"sender_name": "Anna Ölmann", "signature": "Anna\r\nOffice"})
    account.refresh_from_db()
    assert (account.sender_name, account.signature) == ("Anna Ölmann", "Anna\nOffice")


def test_what_meets_a_dead_sign_in_waits_says_so_and_goes_once_the_mailbox_is_signed_in_again(
    anna: Client, account: MailAccount, mailbox: SandboxMailbox, colleague: SandboxMailbox
) -> None:
    mailbox.sandbox.add_user(replace(mailbox.user, password="another one"))
    words = {"sender": account.pk, "to": colleague.address, "subject": "Hello", "text": "Good morning"}
    anna.post("/mail/new/", {**words, "do": "send"})
    message = work_off(Outgoing.objects.get())
    page = anna.get("/mail/outbox/").content.decode()
    assert 'data-state="queued"' in page
    assert 'data-code="password_rejected"' in page
    assert f'href="/settings/email-accounts/{account.pk}/reconnect/"' in page
    again = {"username": mailbox.address, "password": "another one"}
    assert anna.post(f"/settings/email-accounts/{account.pk}/reconnect/", again).status_code == 302
    outgoing_due.enqueue_due()
    assert work_off(message).state == OutgoingState.SENT
    assert len(inbox(colleague)) == 1


def test_what_a_message_came_with_is_passed_on(
    anna: Client, account: MailAccount, mailbox: SandboxMailbox, colleague: SandboxMailbox, contact: object
) -> None:
    mailbox.append(letter(subject="Offer", attachment=b"%PDF-1.7 \x00\xff" * 9000))
    sync_account(account.pk)
    message = Message.objects.get()
    here = anna.post(f"/mail/message/{message.pk}/forward/")["Location"]
    draft = Outgoing.objects.get()
    words = {"sender": account.pk, "to": colleague.address, "subject": "Fwd: Offer", "text": "See there"}
    early = anna.post(here, {**words, "do": "send"}).content.decode()
    assert 'data-code="files_awaited"' in early
    assert "is being fetched" in anna.get(here, headers={"HX-Request": "true"}).content.decode()
    tasks.enclose(draft.pk)
    files = anna.get(here, headers={"HX-Request": "true"}).content.decode()
    assert 'data-file="offer.pdf"' in files
    assert "hx-get" not in files
    assert anna.post(here, {**words, "do": "send"})["Location"] == "/mail/outbox/"
    work_off(draft)
    (got,) = inbox(colleague)
    (file,) = got.iter_attachments()
    assert (file.get_filename(), file.get_content()) == ("offer.pdf", b"%PDF-1.7 \x00\xff" * 9000)


def test_what_is_not_to_be_had_any_more_is_said_and_can_be_left_out(
    anna: Client, account: MailAccount, mailbox: SandboxMailbox, contact: object
) -> None:
    mailbox.append(letter(subject="Offer", attachment=b"%PDF"))
    sync_account(account.pk)
    here = anna.post(f"/mail/message/{Message.objects.get().pk}/forward/")["Location"]
    Message.objects.all().delete()
    draft = Outgoing.objects.get()
    tasks.enclose(draft.pk)
    page = anna.get(here).content.decode()
    assert "in the mailbox any more" in page
    assert 'value="fetch"' in page
    words = {"sender": account.pk, "to": "a@b.test", "subject": "Fwd: Offer", "text": "See there"}
    anna.post(here, {**words, "leave_out": draft.enclosed.get().pk})
    assert anna.post(here, {**words, "do": "send"})["Location"] == "/mail/outbox/"
