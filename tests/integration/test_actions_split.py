"""What is to be done with messages of which an earlier action has moved some is done with all of them, wherever they
are by now: at once where the server tells (COPYUID), else when a sync has found them. Shown is what will be so."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from mailaccounts import tasks
from mailaccounts.mail.imap import ImapSession
from mailaccounts.models import UNFINISHED, Act, ActionState, Folder, MailAction, MessageUid, Thread
from mailaccounts.services.inbox import actions
from mailaccounts.services.syncing.sync import sync_account
from tests.acting import lying, states
from tests.integration.mailboxes import imap_of
from tests.letters import letter

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

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
        if not MailAction.objects.filter(state__in=UNFINISHED).exists():
            return
        MailAction.objects.update(next_at=None)
    pytest.fail("it never ends")


def unseen(mailbox: SandboxMailbox, name: str) -> list[str]:
    """The UIDs of messages in the folder that are unread."""
    with imap_of(mailbox) as imap:
        imap.select(name, readonly=True)
        return [uid.decode() for uid in imap.uid("SEARCH", "UNSEEN")[1][0].split()]


def act_without(request: UUID, account: MailAccount) -> None:
    """Carries out what comes before."""
    MailAction.objects.filter(request=request).update(next_at=timezone.now() + timedelta(hours=1))
    tasks.act(account.pk)


def unread(thread: Thread) -> int:
    return Thread.objects.get(pk=thread.pk).unread


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


@pytest.mark.parametrize("first_is_done", [True, False])
def test_of_two_moves_the_second_is_taken_back_and_the_first_shows(
    account: MailAccount, thread: Thread, first_is_done: bool
) -> None:
    actions.move(account.owner, [thread.pk])
    moved = actions.move(account.owner, [thread.pk], target=Folder.objects.get(name="Work"))
    if first_is_done:
        act_without(moved, account)
    assert lying(thread) == ["Work"]
    assert actions.undo(account.owner, moved) == 2
    assert lying(thread) == ["Archive"]


def test_a_move_of_what_came_back_is_taken_back_and_it_shows_where_it_came_to(
    account: MailAccount, thread: Thread
) -> None:
    for target in (None, Folder.objects.get(name="INBOX")):
        actions.move(account.owner, [thread.pk], target=target)
        carry_out_everything(account)
    actions.undo(account.owner, actions.move(account.owner, [thread.pk], target=Folder.objects.get(name="Work")))
    assert lying(thread) == ["INBOX"]


def test_what_is_marked_after_it_was_moved_shows_so(account: MailAccount, thread: Thread) -> None:
    actions.mark(account.owner, [thread.pk], Act.READ)
    actions.move(account.owner, [thread.pk])
    tasks.act(account.pk)
    actions.mark(account.owner, [thread.pk], Act.UNREAD)
    assert unread(thread) == 1
    carry_out_everything(account)
    assert unread(thread) == 1


def test_marks_that_wait_for_a_move_are_taken_back_where_that_led(account: MailAccount, thread: Thread) -> None:
    actions.move(account.owner, [thread.pk])
    read = actions.mark(account.owner, [thread.pk], Act.READ)
    act_without(read, account)
    assert unread(thread) == 0
    assert actions.undo(account.owner, read) == 2
    assert unread(thread) == 2
