"""What is done with conversations here is done in the mailbox, or undone here if the server refuses."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from mailaccounts import tasks
from mailaccounts.mail.imap import ImapSession
from mailaccounts.mail.imap_writer import Copied
from mailaccounts.models import Act, ActionState, Folder, MailAccount, MailAction, MessageUid, Thread
from mailaccounts.services.inbox import actions
from mailaccounts.services.inbox.carry_out import MOST_LOST, carry_out
from mailaccounts.services.syncing.sync import sync_account
from tests.acting import lying, states
from tests.app.builders import make_account
from tests.integration.mailboxes import imap_of, places
from tests.letters import CONTACT, letter

if TYPE_CHECKING:
    from tests.integration.gmail_mailbox import GmailMailbox
    from tests.integration.gmail_server import GmailServer
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.usefixtures("contact")


@pytest.fixture
def archived(mailbox: SandboxMailbox) -> None:
    """The mailbox has folders to move to."""
    with imap_of(mailbox) as imap:
        for name in ("Archive", "Work"):
            imap.create(name)


@pytest.fixture
def thread(account: MailAccount, mailbox: SandboxMailbox, archived: None) -> Thread:
    """A conversation of two messages in the inbox, an answer to which is among mail sent."""
    earlier = timezone.now() - timedelta(hours=1)
    mailbox.append(letter(message_id="1@x"), when=earlier)
    mailbox.append(letter(message_id="2@x", answers=["1@x"]))
    mailbox.append(letter("me@sandbox.test", CONTACT, message_id="3@x", answers=["1@x", "2@x"]), folder="Sent")
    mailbox.append(letter(message_id="4@x"), folder="Work")
    assert sync_account(account.pk).error is None
    Folder.objects.filter(name="Archive").update(role="archive")
    return Thread.objects.get(length=3)


def folder(name: str) -> Folder:
    return Folder.objects.get(name=name)


def flags(mailbox: SandboxMailbox, name: str = "INBOX") -> list[bytes]:
    with imap_of(mailbox) as imap:
        imap.select(name, readonly=True)
        _, lines = imap.uid("FETCH", "1:*", "FLAGS")
        return [line for line in lines if isinstance(line, bytes)]


def test_reading_shows_at_once_and_then_in_the_mailbox(
    account: MailAccount, thread: Thread, mailbox: SandboxMailbox
) -> None:
    assert thread.unread == 2 + 1  # the answer was filed unread
    actions.mark(account.owner, [thread.pk], Act.READ)
    thread.refresh_from_db()
    assert thread.unread == 0
    assert not any(b"\\Seen" in line for line in flags(mailbox))
    tasks.act(account.pk)
    assert all(b"\\Seen" in line for line in flags(mailbox) + flags(mailbox, "Sent"))
    assert states() == [ActionState.DONE] * 2
    actions.mark(account.owner, [thread.pk], Act.UNREAD)
    tasks.act(account.pk)
    assert [b"\\Seen" in line for line in flags(mailbox)] == [True, False], "the newest that came in"
    assert sync_account(account.pk).error is None
    thread.refresh_from_db()
    assert thread.unread == 1


def test_a_flag_is_set_on_the_newest_and_taken_off_all(
    account: MailAccount, thread: Thread, mailbox: SandboxMailbox
) -> None:
    actions.mark(account.owner, [thread.pk], Act.FLAG)
    tasks.act(account.pk)
    assert [b"\\Flagged" in line for line in flags(mailbox)] == [False, True]
    thread.refresh_from_db()
    assert thread.flagged
    with imap_of(mailbox) as imap:
        imap.select("INBOX")
        imap.uid("STORE", "1", "+FLAGS", r"(\Flagged)")
    sync_account(account.pk)
    actions.mark(account.owner, [thread.pk], Act.UNFLAG)
    tasks.act(account.pk)
    assert not any(b"\\Flagged" in line for line in flags(mailbox))


def test_archiving_moves_what_is_in_the_inbox_and_nothing_is_downloaded_again(
    account: MailAccount, thread: Thread, mailbox: SandboxMailbox
) -> None:
    actions.move(account.owner, [thread.pk])
    assert lying(thread) == ["Archive", "Sent"]
    assert places(account)[0][0] == "INBOX", "not in the mailbox yet"
    actions.mark(account.owner, [thread.pk], Act.READ)
    tasks.act(account.pk)
    assert states() == [ActionState.DONE] * 3 and all(b"\\Seen" in line for line in flags(mailbox, "Archive"))
    assert mailbox.message_ids()["INBOX"] == []
    assert mailbox.message_ids()["Archive"] == ["<1@x>", "<2@x>"]
    for _ in range(2):
        report = sync_account(account.pk)
        assert (report.error, report.bodies_fetched, report.stored) == (None, 0, 0)
        assert lying(thread) == ["Archive", "Sent"]
    assert places(account) == [("Archive", 1), ("Archive", 2), ("Sent", 1), ("Work", 1)]
    assert not MessageUid.objects.exclude(moving_to=None).exists()
    assert not account.messages.exclude(gone_since=None).exists()


def test_what_was_done_is_undone_there_as_well(account: MailAccount, thread: Thread, mailbox: SandboxMailbox) -> None:
    moved = actions.move(account.owner, [thread.pk], target=folder("Work"))
    tasks.act(account.pk)
    assert "<1@x>" in mailbox.message_ids()["Work"]
    assert actions.undo(account.owner, moved) == 2
    assert lying(thread) == ["INBOX", "Sent"]
    tasks.act(account.pk)
    assert sorted(mailbox.message_ids()["INBOX"]) == ["<1@x>", "<2@x>"]
    assert mailbox.message_ids()["Work"] == ["<4@x>"]
    assert actions.undo(account.owner, moved) == 0, "once is enough"
    read = actions.mark(account.owner, [thread.pk], Act.READ)
    tasks.act(account.pk)
    actions.undo(account.owner, read)
    tasks.act(account.pk)
    assert not any(b"\\Seen" in line for line in flags(mailbox))


def test_what_the_server_doesnt_know_of_yet_is_undone_here_only(account: MailAccount, thread: Thread) -> None:
    moved = actions.move(account.owner, [thread.pk])
    actions.undo(account.owner, moved)
    assert lying(thread) == ["INBOX", "Sent"]
    assert states() == [ActionState.UNDONE]
    assert carry_out(account.pk) == 0


def test_nobody_acts_in_anothers_mailbox(account: MailAccount, thread: Thread) -> None:
    stranger = make_account().owner
    actions.mark(stranger, [thread.pk], Act.READ)
    actions.move(stranger, [thread.pk], target=folder("Work"))
    assert states() == []
    request = actions.mark(account.owner, [thread.pk], Act.READ)
    assert actions.undo(stranger, request) == 0


def test_what_the_server_refuses_is_undone_here_and_said(
    account: MailAccount, thread: Thread, mailbox: SandboxMailbox
) -> None:
    with imap_of(mailbox) as imap:
        imap.delete("Archive")
    actions.move(account.owner, [thread.pk])
    actions.mark(account.owner, [thread.pk], Act.READ)
    tasks.act(account.pk)
    assert states()[0] == ActionState.REFUSED
    assert states()[1:] == [ActionState.DONE] * 2, "the session goes on"
    assert lying(thread) == ["INBOX", "Sent"]
    (told,) = actions.refused(account.owner)
    assert (told.code, told.message.startswith("The folder Archive is not there any more.")) == (
        "folder_missing",
        True,
    )


def test_messages_that_went_meanwhile_stay_as_they_are(
    account: MailAccount, thread: Thread, mailbox: SandboxMailbox
) -> None:
    actions.move(account.owner, [thread.pk])
    with imap_of(mailbox) as imap:
        imap.select("INBOX")
        imap.uid("MOVE", "1:2", "Work")
    sync_account(account.pk)
    tasks.act(account.pk)
    assert [each.code for each in actions.refused(account.owner)] == ["changed_meanwhile"]
    assert lying(thread) == ["Sent", "Work"]


def test_a_server_out_of_reach_is_tried_again_for_a_day(
    account: MailAccount, thread: Thread, closed_port: int, mailbox: SandboxMailbox
) -> None:
    port = account.imap_port
    MailAccount.objects.update(imap_port=closed_port)
    actions.mark(account.owner, [thread.pk], Act.READ)
    tasks.act(account.pk)
    first = MailAction.objects.order_by("pk")[0]
    assert (first.state, first.failures) == (ActionState.QUEUED, 1)
    assert first.next_at is not None and first.next_at > timezone.now()
    assert actions.enqueue_due() == 1 and carry_out(account.pk) == 0, "the first has to wait, and so have the others"
    MailAction.objects.update(next_at=None)
    MailAccount.objects.update(imap_port=port)
    tasks.act(account.pk)
    assert states() == [ActionState.DONE] * 2
    MailAccount.objects.update(imap_port=closed_port)
    actions.mark(account.owner, [thread.pk], Act.UNREAD)
    MailAction.objects.update(created_at=timezone.now() - timedelta(days=2))
    tasks.act(account.pk)
    assert [each.code for each in actions.refused(account.owner)] == ["not_done_in_time"]
    thread.refresh_from_db()
    assert thread.unread == 0


def test_a_lost_workers_action_is_done_again(account: MailAccount, thread: Thread, mailbox: SandboxMailbox) -> None:
    actions.move(account.owner, [thread.pk])
    ahead, past = timezone.now() + timedelta(minutes=1), timezone.now() - timedelta(minutes=1)
    MailAction.objects.update(state=ActionState.WORKING, worked_until=ahead)
    assert carry_out(account.pk) == 0, "another worker has it"
    assert actions.enqueue_due() == 0
    MailAction.objects.update(worked_until=past)
    assert actions.enqueue_due() == 1
    with imap_of(mailbox) as imap:  # as far as that one got
        imap.select("INBOX")
        imap.uid("MOVE", "1:2", "Archive")
    assert carry_out(account.pk) == 1
    assert states() == [ActionState.DONE]
    assert lying(thread) == ["Archive", "Sent"]
    sync_account(account.pk)
    assert lying(thread) == ["Archive", "Sent"]
    assert mailbox.message_ids()["Archive"] == ["<1@x>", "<2@x>"]


# --- Gmail, where folders are labels ---


def test_at_gmail_labels_are_set_and_taken_off(
    gmail_account: MailAccount, gmail: GmailMailbox, gmail_server: GmailServer
) -> None:
    key = gmail.deliver(letter(message_id="1@x"))
    gmail.label(gmail.deliver(letter(message_id="2@x")), "Kunden & Käufer")
    assert sync_account(gmail_account.pk).error is None
    thread, owner = Thread.objects.get(messages__message_id="1@x"), gmail_account.owner
    archived = actions.move(owner, [thread.pk])
    assert "INBOX" not in lying(thread)
    tasks.act(gmail_account.pk)
    assert gmail.messages[key].labels == set()
    actions.undo(owner, archived)
    tasks.act(gmail_account.pk)
    assert gmail.messages[key].labels == {"\\Inbox"}
    moved = actions.move(owner, [thread.pk], target=folder("Kunden & Käufer"))
    actions.mark(owner, [thread.pk], Act.READ)
    tasks.act(gmail_account.pk)
    assert gmail.messages[key].labels == {"Kunden & Käufer"}
    assert gmail.messages[key].flags == {"\\Seen"}
    assert sync_account(gmail_account.pk).bodies_fetched == 0
    assert lying(thread) == ["Kunden & Käufer", "[Gmail]/All Mail"]
    actions.undo(owner, moved)
    tasks.act(gmail_account.pk)
    assert gmail.messages[key].labels == {"\\Inbox"}
    assert not actions.refused(owner).exists()


# --- servers that are hard to have ---


def test_what_may_have_been_done_before_the_connection_was_lost_is_undone_in_the_mailbox(
    account: MailAccount, thread: Thread, mailbox: SandboxMailbox
) -> None:
    read = actions.mark(account.owner, [thread.pk], Act.READ)
    with imap_of(mailbox) as imap:
        imap.select("INBOX")
        imap.uid("STORE", "1:2", "+FLAGS", r"(\Seen)")
    MailAction.objects.update(failures=1)
    actions.undo(account.owner, read)
    tasks.act(account.pk)
    assert not any(b"\\Seen" in line for line in flags(mailbox))


def test_a_move_that_nobody_knows_the_end_of_is_undone_once_a_sync_has_found_the_messages(
    account: MailAccount, thread: Thread, mailbox: SandboxMailbox
) -> None:
    moved = actions.move(account.owner, [thread.pk])
    with imap_of(mailbox) as imap:
        imap.select("INBOX")
        imap.uid("MOVE", "1:2", "Archive")
    tasks.act(account.pk)
    assert actions.undo(account.owner, moved) == 2
    tasks.act(account.pk)
    assert sync_account(account.pk).error is None
    MailAction.objects.update(next_at=None)
    tasks.act(account.pk)
    assert mailbox.message_ids()["Archive"] == []
    assert lying(thread) == ["INBOX", "Sent"]


def test_what_is_done_before_a_sync_has_seen_where_messages_were_moved_to_is_done_there(
    account: MailAccount, thread: Thread, mailbox: SandboxMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ImapSession.move
    monkeypatch.setattr(ImapSession, "move", lambda *args: real(*args) and {})  # it doesn't tell (COPYUID)
    actions.move(account.owner, [thread.pk])
    actions.mark(account.owner, [thread.pk], Act.FLAG)
    actions.move(account.owner, [thread.pk], target=folder("Work"))
    for _ in range(2):
        tasks.act(account.pk)
        assert sync_account(account.pk).error is None
        MailAction.objects.update(next_at=None)
    tasks.act(account.pk)
    assert (states(), lying(thread)) == ([ActionState.DONE] * 3, ["Sent", "Work"])
    assert [b"\\Flagged" in line for line in flags(mailbox, "Work")] == [False, False, True]
    assert (mailbox.message_ids()["INBOX"], mailbox.message_ids()["Archive"]) == ([], [])


def test_what_was_undone_while_the_server_was_away_for_long_is_shown_as_before(
    account: MailAccount, thread: Thread, closed_port: int
) -> None:
    MailAccount.objects.update(imap_port=closed_port)
    read, moved = actions.mark(account.owner, [thread.pk], Act.READ), actions.move(account.owner, [thread.pk])
    MailAction.objects.update(failures=1)
    for request in (moved, read):
        actions.undo(account.owner, request)
    MailAction.objects.update(created_at=timezone.now() - timedelta(days=2))
    tasks.act(account.pk)
    thread.refresh_from_db()
    assert (thread.unread, lying(thread)) == (3, ["INBOX", "Sent"])
    told = actions.refused(account.owner)  # of the undoing alone, which nobody knows the end of either
    assert {(each.code, each.reverses is not None) for each in told} == {("not_done_in_time", True)}
    assert not MessageUid.objects.exclude(moving_to=None).exists()


def test_a_fault_of_ours_holds_up_nothing_that_waits_behind(
    account: MailAccount, thread: Thread, monkeypatch: pytest.MonkeyPatch
) -> None:
    actions.mark(account.owner, [thread.pk], Act.READ)
    with monkeypatch.context() as broken, pytest.raises(ZeroDivisionError):
        broken.setattr("mailaccounts.mail.imap.ImapSession.set_flag", lambda *_, **__: 1 / 0)
        carry_out(account.pk)
    carry_out(account.pk)
    assert states() == [ActionState.REFUSED, ActionState.DONE]


def test_an_action_that_costs_worker_after_worker_is_put_back_and_holds_up_nothing(
    account: MailAccount, thread: Thread, monkeypatch: pytest.MonkeyPatch
) -> None:
    actions.move(account.owner, [thread.pk])
    actions.mark(account.owner, [thread.pk], Act.READ)
    for _ in range(MOST_LOST):
        with monkeypatch.context() as deadly, pytest.raises(SystemExit):
            deadly.setattr("mailaccounts.mail.imap.ImapSession.move", lambda *_: sys.exit())
            carry_out(account.pk)
        MailAction.objects.update(worked_until=timezone.now() - timedelta(minutes=1))
        assert actions.enqueue_due() == 1
    assert lying(thread) == ["Archive", "Sent"]
    carry_out(account.pk)
    assert states() == [ActionState.REFUSED, ActionState.DONE, ActionState.DONE]
    assert [each.code for each in actions.refused(account.owner)] == ["never_finished"]
    assert lying(thread) == ["INBOX", "Sent"]


@pytest.mark.parametrize("target", ["Archive", "Work"])
def test_a_server_that_lies_about_what_it_moved_is_found_out_by_the_next_sync(
    account: MailAccount,
    thread: Thread,
    mailbox: SandboxMailbox,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
) -> None:
    """In Archive it names a UID that private mail gets, in Work one that another message has."""
    before = places(account)
    lie = Copied(uidvalidity=folder(target).uidvalidity or 0, uid=1)
    with monkeypatch.context() as lying_server:
        lying_server.setattr("mailaccounts.mail.imap.ImapSession.move", lambda *_: {1: lie})
        lying_server.setattr("mailaccounts.mail.imap.ImapSession.existing", lambda *_: set())
        actions.move(account.owner, [thread.pk], target=folder(target))
        carry_out(account.pk)
    assert (states(), lying(thread)) == ([ActionState.DONE], sorted(["Sent", target]))
    mailbox.append(letter("stranger@elsewhere.test", message_id="5@x"), folder="Archive")
    report = sync_account(account.pk)
    assert (report.error, report.bodies_fetched) == (None, 0)
    assert lying(thread) == ["INBOX", "Sent"]
    assert places(account) == before
    assert not account.messages.exclude(gone_since=None).exists()
