"""What is to be done with messages of which an earlier action has moved some is done with all of them, wherever they
are by now: at once where the server tells (COPYUID), else when a sync has found them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from mailaccounts import tasks
from mailaccounts.mail.imap import ImapSession
from mailaccounts.models import Act, ActionState, Folder, MailAction, MessageUid, Thread
from mailaccounts.services.inbox import actions
from mailaccounts.services.syncing.sync import sync_account
from tests.acting import lying, states
from tests.integration.mailboxes import imap_of
from tests.letters import letter

if TYPE_CHECKING:
    from datetime import datetime

    from mailaccounts.models import MailAccount
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.usefixtures("contact")

TOLD = {"all": 2, "one": 1, "none": 0}  # of the messages moved, where they are
REAL = ImapSession.move


@pytest.fixture(params=TOLD)
def telling(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server tells of so many of the messages that are moved."""
    told = TOLD[request.param]
    monkeypatch.setattr(ImapSession, "move", lambda *args: dict(sorted(REAL(*args).items())[:told]))


@pytest.fixture
def thread(account: MailAccount, mailbox: SandboxMailbox, telling: None) -> Thread:
    """A conversation of two messages in the inbox."""
    with imap_of(mailbox) as imap:
        for name in ("Archive", "Work"):
            imap.create(name)
    earlier = timezone.now() - timedelta(hours=1)
    mailbox.append(letter(message_id="1@x"), when=earlier)
    mailbox.append(letter(message_id="2@x", answers=["1@x"]))
    assert sync_account(account.pk).error is None
    Folder.objects.filter(name="Archive").update(role="archive")
    return Thread.objects.get()


def archived_and_answered(
    account: MailAccount, thread: Thread, mailbox: SandboxMailbox, *, when: datetime | None = None
) -> None:
    """Before a worker gets to archive the conversation, another message of it arrives in the inbox."""
    actions.move(account.owner, [thread.pk])
    mailbox.append(letter(message_id="3@x", answers=["1@x", "2@x"]), when=when)
    assert sync_account(account.pk).error is None


def carry_out_everything(account: MailAccount) -> None:
    for _ in range(4):
        tasks.act(account.pk)
        assert sync_account(account.pk).error is None
        MailAction.objects.update(next_at=None)


def unseen(mailbox: SandboxMailbox, name: str) -> list[str]:
    """The UIDs of messages in the folder that are unread."""
    with imap_of(mailbox) as imap:
        imap.select(name, readonly=True)
        return [uid.decode() for uid in imap.uid("SEARCH", "UNSEEN")[1][0].split()]


def test_all_of_a_conversation_is_marked_and_moved_though_some_of_it_was_moved_before(
    account: MailAccount, thread: Thread, mailbox: SandboxMailbox
) -> None:
    archived_and_answered(account, thread, mailbox)
    actions.mark(account.owner, [thread.pk], Act.READ)
    actions.move(account.owner, [thread.pk], target=Folder.objects.get(name="Work"))
    carry_out_everything(account)
    assert sorted(mailbox.message_ids()["Work"]) == ["<1@x>", "<2@x>", "<3@x>"]
    assert (unseen(mailbox, "Work"), set(states())) == ([], {ActionState.DONE})
    thread.refresh_from_db()
    assert (lying(thread), thread.unread) == (["Work"], 0)
    assert not MessageUid.objects.exclude(moving_to=None).exists()


def test_what_is_asked_for_later_has_the_last_word(
    account: MailAccount, thread: Thread, mailbox: SandboxMailbox
) -> None:
    archived_and_answered(account, thread, mailbox, when=timezone.now() - timedelta(days=1))
    actions.mark(account.owner, [thread.pk], Act.READ)
    actions.mark(account.owner, [thread.pk], Act.UNREAD)  # the newest, which is archived
    carry_out_everything(account)
    assert (unseen(mailbox, "Archive"), unseen(mailbox, "INBOX")) == (["2"], [])


def test_an_undo_of_all_waits_for_what_no_sync_has_found(
    account: MailAccount, thread: Thread, mailbox: SandboxMailbox
) -> None:
    moved = actions.move(account.owner, [thread.pk])
    tasks.act(account.pk)
    assert actions.undo(account.owner, moved) == 2
    carry_out_everything(account)
    assert sorted(mailbox.message_ids()["INBOX"]) == ["<1@x>", "<2@x>"]
    assert lying(thread) == ["INBOX"]


def test_what_was_split_is_taken_back_as_a_whole(
    account: MailAccount, thread: Thread, mailbox: SandboxMailbox
) -> None:
    archived_and_answered(account, thread, mailbox)
    tasks.act(account.pk)
    read = actions.mark(account.owner, [thread.pk], Act.READ)
    carry_out_everything(account)
    assert unseen(mailbox, "Archive") == unseen(mailbox, "INBOX") == []
    assert actions.undo(account.owner, read) == 3
    carry_out_everything(account)
    assert (unseen(mailbox, "Archive"), unseen(mailbox, "INBOX")) == (["1", "2"], ["3"])
