"""A message goes out once, threads, and lies once in Sent: against the sandbox's SMTP server and Dovecot."""

from __future__ import annotations

import email
import email.policy
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone
from django_q.models import OrmQ, Task

from mailaccounts import tasks
from mailaccounts.errors import (
    InvalidInput,
    MailAccountsError,
    MessageTooLarge,
    NoRecipients,
    OutgoingChanged,
    SendingNotAllowed,
    UnsafeArgument,
)
from mailaccounts.mail.compose import Enclosure, Mailbox
from mailaccounts.mail.submission import Submission
from mailaccounts.models import AccountStatus, Filing, MailAccount, Message, Outgoing, OutgoingState
from mailaccounts.queue import Job
from mailaccounts.services.sending import answer, drafts, outbox, outgoing_due
from mailaccounts.services.syncing.sync import sync_account
from mailaccounts.signals import outgoing_changed
from tests.crm.builders import make_contact
from tests.haul import everything_logged
from tests.letters import CONTACT, letter, new_id
from tests.outgoing import SECRET_WORDS, SUBJECT, is_due, queued, time_passes, turn_in_an_hour, work_off, written

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import EmailMessage
    from typing import Any

    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox


@pytest.fixture
def colleague(new_mailbox: Callable[[], SandboxMailbox]) -> SandboxMailbox:
    """Somebody in the sandbox who gets mail."""
    return new_mailbox()


def ids(mailbox: SandboxMailbox, folder: str) -> list[str]:
    return [each.strip("<>") for each in mailbox.message_ids()[folder]]


def sent_to(world: Sandbox, address: str) -> list[EmailMessage]:
    """What went out to an address of another domain, as it was received there."""
    parsed = [email.message_from_bytes(raw, policy=email.policy.default) for raw in world.outbox()]
    return [each for each in parsed if address in each["X-Envelope-To"]]  # type: ignore[misc]  # policy.default's type


def elsewhere() -> str:
    """An address that nobody else wrote to."""
    return f"{new_id().partition('@')[0]}@customer.test"


def test_a_message_arrives_once_and_lies_once_in_sent(
    account: MailAccount, mailbox: SandboxMailbox, colleague: SandboxMailbox
) -> None:
    message = queued(account, colleague.address)
    assert (message.state, message.attempts) == (OutgoingState.QUEUED, 0)
    work_off(message)
    assert (message.state, message.filing, message.code) == (OutgoingState.SENT, Filing.DONE, "")
    assert message.sent_at
    assert (message.raw, message.body_text) == (None, ""), "it is in the mailbox"
    assert ids(colleague, "INBOX") == [message.message_id]
    assert ids(mailbox, "Sent") == [message.message_id]


def test_once_it_lies_in_sent_a_sync_is_queued_that_brings_it_to_its_conversation(
    account: MailAccount, colleague: SandboxMailbox
) -> None:
    turn_in_an_hour(account)
    message = queued(account, colleague.address)
    OrmQ.objects.all().delete()
    work_off(message, jobs=1)
    assert [each.func() for each in OrmQ.objects.all()] == [Job.SEND], "it isn't there yet"
    work_off(message, jobs=1)
    assert [each.func() for each in OrmQ.objects.all()] == [Job.SEND, Job.SYNC]
    assert is_due(account)


def test_what_arrives_is_what_was_written(account: MailAccount, world: Sandbox) -> None:
    to, hidden = elsewhere(), elsewhere()
    enclosure = Enclosure(name="Ängebot.pdf", content_type="application/pdf", content=b"\x00\xff" * 5000)
    bcc = (Mailbox(address=hidden),)
    work_off(queued(account, to, bcc=bcc, html="<p>Hällo<script>", sender_name="Ölga", enclosures=(enclosure,)))
    (received,) = sent_to(world, to)
    assert sent_to(world, hidden) == [] or hidden in received["X-Envelope-To"]
    assert received["From"] == f"Ölga <{account.address}>"
    assert (received["To"], received["Subject"], received["Bcc"]) == (to, SUBJECT, None)
    plain, html = received.get_body(("plain",)), received.get_body(("html",))
    assert plain is not None and html is not None
    assert plain.get_content().replace("\r\n", "\n") == f"Hello\n{SECRET_WORDS}\n.\n..dots\n"
    assert html.get_content().strip() == "<p>Hällo</p>"
    (file,) = received.iter_attachments()
    assert (file.get_filename(), file.get_content()) == ("Ängebot.pdf", enclosure.content)
    assert hidden not in received.as_string().replace(received["X-Envelope-To"], "")


def test_a_reply_is_threaded_at_the_contact_and_here(
    account: MailAccount, mailbox: SandboxMailbox, world: Sandbox
) -> None:
    contact, first, second = elsewhere(), new_id(), new_id()
    make_contact(contact)
    mailbox.append(letter(contact, account.address, "AW: Offer", message_id=second, answers=[first]))
    sync_account(account.pk)
    original = Message.objects.get(message_id=second)

    draft = answer.reply(original, author=account.owner)
    outbox.queue(draft)
    work_off(draft)
    (received,) = sent_to(world, contact)
    assert received["Subject"] == "Re: Offer"
    assert received["In-Reply-To"] == f"<{second}>"
    assert received["References"].split() == [f"<{first}>", f"<{second}>"]

    sync_account(account.pk)
    ours = Message.objects.get(message_id=draft.message_id)
    assert ours.thread_id == original.thread_id
    assert ours.references.split() == [first, second]


def test_a_provider_that_files_by_itself_is_left_to_it(
    account: MailAccount, mailbox: SandboxMailbox, colleague: SandboxMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailaccounts.services.sending.deliver.files_sent", lambda account: True)
    turn_in_an_hour(account)
    message = work_off(queued(account, colleague.address))
    assert (message.state, message.filing, message.raw) == (OutgoingState.SENT, Filing.BY_SERVER, None)
    assert is_due(account), "its copy is to be brought in"
    assert "Sent" not in mailbox.message_ids() or ids(mailbox, "Sent") == []


def test_a_refused_recipient_is_named_to_the_author_and_the_others_get_it(
    account: MailAccount, colleague: SandboxMailbox
) -> None:
    nobody = f"nobody-{new_id().partition('@')[0]}@sandbox.test"
    message = work_off(queued(account, colleague.address, nobody))
    assert (message.state, message.code) == (OutgoingState.SENT, "recipients_refused")
    assert "1 of 2" in message.message and nobody in message.message
    assert [each.refused for each in message.recipients.all()] == [False, True]
    assert len(ids(colleague, "INBOX")) == 1


def test_when_nobody_can_be_reached_it_has_failed_and_can_be_corrected(
    account: MailAccount, colleague: SandboxMailbox
) -> None:
    message = work_off(queued(account, f"nobody-{new_id().partition('@')[0]}@sandbox.test"))
    assert (message.state, message.code) == (OutgoingState.FAILED, "recipient_refused")
    drafts.change(message, written(colleague.address))
    outbox.queue(message)
    assert work_off(message).state == OutgoingState.SENT
    assert ids(colleague, "INBOX") == [message.message_id]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"to": (Mailbox(address="a@b.test\r\nBcc: x@y.test"),)}, UnsafeArgument),
        ({"to": (Mailbox(address="a@b.test", name="A\nBcc: x@y.test"),)}, UnsafeArgument),
        ({"subject": "Hello\r\nBcc: x@y.test"}, UnsafeArgument),
        ({"to": (Mailbox(address="not an address"),)}, InvalidInput),
        ({"to": ()}, NoRecipients),
        ({"bcc": (Mailbox(address="a@b.test>\r\nDATA"),)}, UnsafeArgument),
    ],
)
def test_bad_input_is_told_in_a_sentence_and_the_draft_is_kept(
    account: MailAccount, changes: dict[str, Any], error: type[MailAccountsError]
) -> None:
    draft = drafts.begin(account, written("a@b.test", **changes), author=account.owner)
    with pytest.raises(error):
        outbox.queue(draft)
    draft.refresh_from_db()
    assert (draft.state, draft.code) == (OutgoingState.DRAFT, error.code)
    assert SECRET_WORDS in draft.body_text
    assert not OrmQ.objects.exists()


def test_what_is_over_the_limit_is_refused_and_the_draft_kept(account: MailAccount, settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "MAX_OUTGOING_BYTES": 10_000}
    big = Enclosure(name="big.bin", content_type="application/octet-stream", content=b"x" * 10_000)
    draft = drafts.begin(account, written("a@b.test", enclosures=(big,)), author=account.owner)
    with pytest.raises(MessageTooLarge):
        outbox.queue(draft)
    draft.refresh_from_db()
    assert (draft.state, draft.enclosed.count()) == (OutgoingState.DRAFT, 1)


def test_an_account_that_only_reads_keeps_the_draft_and_says_what_to_do(account: MailAccount) -> None:
    MailAccount.objects.update(smtp_host="")
    account.refresh_from_db()
    draft = drafts.begin(account, written("a@b.test"), author=account.owner)
    with pytest.raises(SendingNotAllowed, match="Allow sending"):
        outbox.queue(draft)


def test_what_is_in_the_post_is_neither_changed_nor_discarded_and_can_be_taken_back(account: MailAccount) -> None:
    message = queued(account, elsewhere())
    for act in (lambda: drafts.change(message, written("x@y.test")), lambda: drafts.discard(message)):
        with pytest.raises(OutgoingChanged):
            act()
    outbox.take_back(message)
    tasks.send(message.pk)
    message.refresh_from_db()
    assert message.state == OutgoingState.DRAFT
    drafts.discard(message)
    assert not Outgoing.objects.exists()


def test_it_does_not_go_once_its_author_has_left_and_waits_while_the_mailbox_is_paused(
    account: MailAccount, world: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    somebody, owner = elsewhere(), get_user_model().objects.filter(pk=account.owner_id)
    offer = Submission.offer

    def leaving_meanwhile(*args: Any, **options: Any) -> Any:
        owner.update(is_active=False)
        return offer(*args, **options)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Submission, "offer", leaving_meanwhile)
        message = work_off(queued(account, somebody))
    assert (message.state, message.code) == (OutgoingState.FAILED, "sender_departed")
    outbox.send_again(message)
    message = work_off(message)
    assert (message.state, message.code, message.raw is None) == (OutgoingState.FAILED, "sender_departed", False)
    owner.update(is_active=True)
    MailAccount.objects.update(status=AccountStatus.DISCONNECTED)
    outbox.send_again(message)
    message = work_off(message)
    assert (message.state, message.code) == (OutgoingState.FAILED, "account_disconnected")
    MailAccount.objects.update(status=AccountStatus.OK, paused_at=timezone.now())
    outbox.send_again(message)
    message = work_off(message)
    assert (message.state, message.code) == (OutgoingState.QUEUED, "sending_paused")
    time_passes(message)
    assert (outgoing_due.enqueue_due(), sent_to(world, somebody)) == (0, [])
    MailAccount.objects.update(paused_at=None)
    assert outgoing_due.enqueue_due() == 1
    assert (work_off(message).code, len(sent_to(world, somebody))) == ("", 1)


def test_two_jobs_for_one_message_send_it_once(account: MailAccount, colleague: SandboxMailbox) -> None:
    message = queued(account, colleague.address)
    work_off(message, jobs=5)
    time_passes(message)
    work_off(message, jobs=2)
    assert ids(colleague, "INBOX") == [message.message_id]


def test_whoever_listens_is_told_each_state(account: MailAccount, colleague: SandboxMailbox) -> None:
    states: list[str] = []

    def listen(state: str, **facts: Any) -> None:
        states.append(state)

    outgoing_changed.connect(listen)
    try:
        work_off(queued(account, colleague.address))
    finally:
        outgoing_changed.disconnect(listen)
    assert states == ["queued", "sending", "sent"]


def test_no_log_and_no_task_row_tells_what_was_written_or_to_whom(account: MailAccount) -> None:
    nobody, to = f"nobody-{new_id().partition('@')[0]}@sandbox.test", elsewhere()
    with everything_logged() as log:
        work_off(queued(account, to, nobody))
        work_off(queued(account, nobody))
        tasks.tick()
    rows = [str(each.task) for each in OrmQ.objects.all()] + [repr(each.__dict__) for each in Task.objects.all()]
    ours = [line for line in log.lines if not line.startswith("django.db")]  # SQL at DEBUG holds its parameters
    assert any("sent" in line for line in ours)
    told = "\n".join([*ours, *rows])
    for secret in (SECRET_WORDS, SUBJECT, nobody, to, CONTACT):
        assert secret not in told
