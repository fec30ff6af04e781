"""A worker that is killed at any step of sending: the message arrives at most once, and its state tells the truth."""

from __future__ import annotations

from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import SMTP
from typing import TYPE_CHECKING

import pytest

from mailaccounts import tasks
from mailaccounts.errors import FilesAwaited
from mailaccounts.models import Filing, MailAccount, Message, Outgoing, OutgoingState
from mailaccounts.services.sending import drafts, originals, outbox, outgoing_due
from mailaccounts.services.syncing.sync import sync_account
from tests import crm_process
from tests.crm_process import wait_until
from tests.integration.test_outbox import inbox
from tests.letters import CONTACT
from tests.outgoing import is_due, queued, time_passes, turn_in_an_hour, work_off, written
from tests.sandbox_crm import process_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox

# A worker at its job, made to stop for good before or after the first call of the given function.
FREEZE = """
import importlib, sys, threading
import django
django.setup()
from mailaccounts import tasks
module, name, when, job, outgoing = *sys.argv[1:5], int(sys.argv[5])
module, _, owner = module.partition(":")
owner = getattr(importlib.import_module(module), owner) if owner else importlib.import_module(module)
original = getattr(owner, name)
def frozen(*args, **kwargs):
    result = original(*args, **kwargs) if when == "after" else None
    print("frozen", flush=True)
    threading.Event().wait()
setattr(owner, name, frozen)
getattr(tasks, job)(outgoing)
"""

SUBMISSION = "mailaccounts.mail.submission"
SESSION = f"{SUBMISSION}:Submission"
STATES = "mailaccounts.services.sending.outgoing"
IMAP = "mailaccounts.mail.imap:ImapSession"


@contextmanager
def killed(world: Sandbox, message: Outgoing, *stop_at: str, job: str = "send") -> Iterator[None]:
    """For the block the worker stands still at that point; then it is killed."""
    with crm_process.killed(FREEZE, *stop_at, job, str(message.pk), env=process_environment(world)):
        yield


@pytest.fixture
def colleague(new_mailbox: Callable[[], SandboxMailbox]) -> SandboxMailbox:
    return new_mailbox()


def ids(mailbox: SandboxMailbox, folder: str) -> list[str]:
    return [each.strip("<>") for each in mailbox.message_ids().get(folder, [])]


def state_of(message: Outgoing) -> str:
    message.refresh_from_db()
    return message.state


BEFORE_THE_SERVER_KNOWS = [
    (STATES, "claim", "after"),
    ("mailaccounts.services.signing_in.login", "open_smtp", "before"),
    (SESSION, "offer", "before"),
    (SESSION, "offer", "after"),
    (STATES, "begin_handing_over", "before"),
]


@pytest.mark.parametrize("stop_at", BEFORE_THE_SERVER_KNOWS, ids=lambda stop: f"{stop[2]} {stop[1]}")
def test_killed_before_the_server_knows_it_is_sent_by_the_next_worker(
    account: MailAccount, mailbox: SandboxMailbox, colleague: SandboxMailbox, world: Sandbox, stop_at: tuple[str, ...]
) -> None:
    message = queued(account, colleague.address)
    with killed(world, message, *stop_at):
        work_off(message)  # another worker leaves it alone
        assert state_of(message) == OutgoingState.QUEUED
    time_passes(message)
    tasks.tick()
    work_off(message)
    assert (message.state, message.filing, message.attempts) == (OutgoingState.SENT, Filing.DONE, 1)
    assert ids(colleague, "INBOX") == ids(mailbox, "Sent") == [message.message_id]


@pytest.mark.parametrize(
    ("stop_at", "arrived"),
    [
        ((STATES, "begin_handing_over", "after"), 0),
        ((SUBMISSION, "send_content", "after"), 0),
        ((SUBMISSION, "send_dot", "before"), 0),
        ((SUBMISSION, "send_dot", "after"), 1),
        ((SUBMISSION, "last_answer", "after"), 1),
        ((STATES, "handed_over", "before"), 1),
    ],
    ids=lambda each: f"{each[2]} {each[1]}" if isinstance(each, tuple) else None,
)
def test_killed_while_the_server_may_have_it_it_is_uncertain_and_never_sent_again_by_itself(
    account: MailAccount,
    mailbox: SandboxMailbox,
    colleague: SandboxMailbox,
    world: Sandbox,
    stop_at: tuple[str, ...],
    arrived: int,
) -> None:
    message = queued(account, colleague.address)
    with killed(world, message, *stop_at):
        work_off(message)
        assert state_of(message) == OutgoingState.SENDING
        if arrived:
            wait_until(lambda: ids(colleague, "INBOX"), what="the delivery")
    for _ in range(6):
        time_passes(message)
        tasks.tick()
        work_off(message)
    assert (message.state, message.code) == (OutgoingState.UNCERTAIN, "delivery_uncertain")
    assert message.next_at is None, "by now only a person can tell"
    assert ids(colleague, "INBOX") == [message.message_id] * arrived

    if arrived:
        outbox.was_sent(message)
    else:
        outbox.send_again(message)
    work_off(message)
    assert (message.state, message.filing) == (OutgoingState.SENT, Filing.DONE)
    assert ids(colleague, "INBOX") == ids(mailbox, "Sent") == [message.message_id]


def test_killed_at_a_provider_that_files_by_itself_the_copy_in_sent_tells(
    account: MailAccount, mailbox: SandboxMailbox, colleague: SandboxMailbox, world: Sandbox
) -> None:
    message = queued(account, colleague.address)
    with killed(world, message, SUBMISSION, "last_answer", "after"):
        wait_until(lambda: ids(colleague, "INBOX"), what="the delivery")
    mailbox.append(bytes(message.raw or b""), "Sent")  # as Gmail does
    time_passes(message)
    tasks.tick()
    turn_in_an_hour(account)
    work_off(message)
    assert is_due(account), "its copy is to be brought in"
    assert (message.state, message.filing, message.code) == (OutgoingState.SENT, Filing.BY_SERVER, "")
    assert ids(colleague, "INBOX") == ids(mailbox, "Sent") == [message.message_id]


@pytest.mark.parametrize(
    "stop_at",
    [
        (STATES, "handed_over", "after"),
        ("mailaccounts.queue", "_send", "before"),
        ("mailaccounts.services.signing_in.login", "open_imap", "before"),
        (IMAP, "append", "before"),
        (IMAP, "append", "after"),
        (STATES, "filed", "before"),
    ],
    ids=lambda stop: f"{stop[2]} {stop[1]}",
)
def test_killed_while_filing_it_lies_in_sent_once(
    account: MailAccount, mailbox: SandboxMailbox, colleague: SandboxMailbox, world: Sandbox, stop_at: tuple[str, ...]
) -> None:
    message = queued(account, colleague.address)
    if stop_at[1] not in {"handed_over", "_send"}:
        work_off(message, jobs=1)
    with killed(world, message, *stop_at):
        assert (state_of(message), message.filing) == (OutgoingState.SENT, Filing.DUE)
    time_passes(message)
    tasks.tick()
    work_off(message)
    assert (message.state, message.filing) == (OutgoingState.SENT, Filing.DONE)
    assert ids(colleague, "INBOX") == ids(mailbox, "Sent") == [message.message_id]


@pytest.mark.parametrize(
    "stop_at",
    [
        ("mailaccounts.services.inbox.attached", "open_imap", "before"),
        ("mailaccounts.services.sending.originals", "_read", "after"),
        ("django.db.models.query:QuerySet", "update", "after"),  # the first file is there
    ],
    ids=lambda stop: f"{stop[2]} {stop[1]}",
)
@pytest.mark.usefixtures("contact")
def test_killed_while_it_fetches_what_is_passed_on_each_file_goes_along_once(
    account: MailAccount, mailbox: SandboxMailbox, colleague: SandboxMailbox, world: Sandbox, stop_at: tuple[str, ...]
) -> None:
    original = EmailMessage()
    original["From"], original["To"], original["Message-ID"] = CONTACT, account.address, "<1@x>"
    original.set_content("See the files")
    for name in ("a.txt", "b.txt"):
        original.add_attachment(f"in {name}", filename=name)
    mailbox.append(original.as_bytes(policy=SMTP))
    assert sync_account(account.pk).error is None
    passed_on = Message.objects.get()
    draft = drafts.begin(account, written(colleague.address), author=account.owner, forwards=passed_on)
    originals.await_all(draft)
    with killed(world, draft, *stop_at, job="enclose"), pytest.raises(FilesAwaited):
        outbox.queue(draft)
    time_passes(draft)
    assert outgoing_due.enqueue_due() == 1, "another worker is to go on"
    tasks.enclose(draft.pk)
    outbox.queue(draft)
    assert work_off(draft).state == OutgoingState.SENT
    (got,) = inbox(colleague)
    files = [(each.get_filename(), each.get_content().strip()) for each in got.iter_attachments()]
    assert files == [("a.txt", "in a.txt"), ("b.txt", "in b.txt")]


def test_a_worker_that_was_taken_for_lost_still_says_what_it_knows(
    account: MailAccount, colleague: SandboxMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It got its answer late: a tick has called the message uncertain, and its author wants it sent again."""
    message = queued(account, colleague.address)

    def meanwhile(*args: object) -> tuple[int, bytes]:
        time_passes(message)
        tasks.tick()
        assert state_of(message) == OutgoingState.UNCERTAIN
        outbox.send_again(message)
        return answer(*args)  # type: ignore[arg-type]  # those it was called with

    from mailaccounts.mail.submission import last_answer as answer

    monkeypatch.setattr("mailaccounts.mail.submission.last_answer", meanwhile)
    tasks.send(message.pk)
    monkeypatch.undo()
    assert work_off(message).state == OutgoingState.SENT
    assert ids(colleague, "INBOX") == [message.message_id]
