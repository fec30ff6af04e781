"""What a server does that refuses, lies or goes away: nothing is lost, and nothing is shown that isn't so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

from crm import inbox_words
from mailaccounts import tasks
from mailaccounts.errors import ChangeRefused, ConnectionTimedOut
from mailaccounts.models import Act, ActionState, MailAccount, MessageUid, Thread
from mailaccounts.services.inbox import actions
from mailaccounts.services.signing_in import login
from tests.acting import lying, states
from tests.app.builders import make_account, make_credential
from tests.crm.builders import store_message
from tests.integration.hostile import HostileServer, Peer, imap_login, tag
from tests.integration.mailboxes import places
from tests.letters import CONTACT

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.errors import MailAccountsError
    from tests.integration.hostile import Authority

pytestmark = pytest.mark.usefixtures("contact")


@pytest.fixture
def at(
    authority: Authority, settings: SettingsWrapper, transactional_db: None
) -> Callable[[Callable[[Peer], None]], Any]:
    """An account at a server that plays a script after the login; its one message is read here."""
    settings.MAILACCOUNTS = {
        **settings.MAILACCOUNTS,
        "CA_BUNDLE": str(authority.ca_file),
        "ALLOW_PRIVATE_HOSTS": ["127.0.0.0/8"],
    }

    def make(script: Callable[[Peer], None]) -> HostileServer:
        return HostileServer(script, context=authority.context())

    return make


def play(peer: Peer, answers: dict[bytes, bytes], *, able: bytes = b"IMAP4rev1 UIDPLUS") -> None:
    """Answers commands by their word, without UID; those it has no answer to with OK, and that nothing is found."""
    imap_login(peer, able=able)
    while True:
        line = peer.line()
        words = line.split()
        word = words[2] if words[1] == b"UID" else words[1]
        if word == b"LOGOUT":
            peer.send(b"* BYE\r\n")
            return
        if word == b"SELECT":
            validity = b"5" if b"Archive" in line else b"1"
            peer.send(b"* 1 EXISTS\r\n* OK [UIDVALIDITY ", validity, b"] .\r\n* OK [UIDNEXT 2] .\r\n")
        said = answers.get(word, b"* SEARCH|OK done" if word == b"SEARCH" else b"OK done")
        if b"|" in said:
            untagged, _, said = said.partition(b"|")
            peer.send(untagged, b"\r\n")
        peer.send(tag(line), b" ", said, b"\r\n")


def one_message(server: HostileServer) -> tuple[MailAccount, Thread]:
    account = make_account(imap_host="127.0.0.1", imap_port=server.port)
    make_credential(account)
    message = store_message(account, sender=CONTACT, to=account.address)
    MessageUid.objects.update(uid=1)
    account.folders.create(name="Archive", role="archive", uidvalidity=5)
    return account, message.thread


def test_a_no_is_undone_and_said(at: Any) -> None:
    with at(lambda peer: play(peer, {b"STORE": b"NO you may not"})) as server:
        account, thread = one_message(server)
        actions.mark(account.owner, [thread.pk], Act.READ)
        tasks.act(account.pk)
    thread.refresh_from_db()
    assert thread.unread == 1
    assert [each.code for each in actions.refused(account.owner)] == ["change_refused"]


def test_a_server_that_says_yes_and_does_nothing_is_found_out(at: Any) -> None:
    fetched = b"* 1 FETCH (UID 1 FLAGS ())|OK done"
    with at(lambda peer: play(peer, {b"FETCH": fetched})) as server:
        account, thread = one_message(server)
        actions.mark(account.owner, [thread.pk], Act.READ)
        tasks.act(account.pk)
    thread.refresh_from_db()
    assert thread.unread == 1
    assert [each.code for each in actions.refused(account.owner)] == ["change_refused"]


def test_without_move_messages_are_copied_and_only_they_are_expunged(at: Any) -> None:
    copied = b"OK [COPYUID 5 1 77] done"
    with at(lambda peer: play(peer, {b"COPY": copied})) as server:
        account, thread = one_message(server)
        actions.move(account.owner, [thread.pk])
        tasks.act(account.pk)
        heard = server.heard
    assert lying(thread) == ["Archive"]
    assert places(account) == [("Archive", 77), ("INBOX", 1)], "until a sync has seen it"
    for command in (b'UID COPY 1 "Archive"', rb"UID STORE 1 +FLAGS.SILENT (\Deleted)", b"UID EXPUNGE 1"):
        assert command in heard


def test_where_neither_is_to_be_had_nothing_is_moved(at: Any) -> None:
    with at(lambda peer: play(peer, {}, able=b"IMAP4rev1")) as server:
        account, thread = one_message(server)
        actions.move(account.owner, [thread.pk])
        tasks.act(account.pk)
        heard = server.heard
    assert b"COPY" not in heard and b"STORE" not in heard
    assert lying(thread) == ["INBOX"]
    assert [each.code for each in actions.refused(account.owner)] == ["cannot_move"]


def test_what_stays_where_it_was_though_the_server_said_yes_shows_there(at: Any) -> None:
    with at(lambda peer: play(peer, {b"SEARCH": b"* SEARCH 1|OK done"}, able=b"IMAP4rev1 MOVE")) as server:
        account, thread = one_message(server)
        actions.move(account.owner, [thread.pk])
        tasks.act(account.pk)
    assert lying(thread) == ["INBOX"]
    assert [each.code for each in actions.refused(account.owner)] == ["change_refused"]


def test_what_lies_at_a_number_since_the_folder_was_made_anew_is_left_alone_in_the_old_one(at: Any) -> None:
    with at(lambda peer: play(peer, {})) as server:
        account, thread = one_message(server)
        actions.mark(account.owner, [thread.pk], Act.READ)

        def a_sync_has_opened_the_new_one(execute: Any, sql: str, *rest: Any) -> Any:
            if sql.startswith("SELECT") and "mailaccounts_messageuid" in sql:
                account.folders.filter(name="INBOX").update(uidvalidity=2)
                MessageUid.objects.update(uidvalidity=2, uid=77)
            return execute(sql, *rest)

        with connection.execute_wrapper(a_sync_has_opened_the_new_one):
            tasks.act(account.pk)
        heard = server.heard
    assert b"STORE" not in heard
    assert [each.code for each in actions.refused(account.owner)] == ["changed_meanwhile"]


@pytest.mark.parametrize("error", [ConnectionTimedOut(host="h", port=993), ChangeRefused(host="h")])
def test_what_another_worker_has_done_is_not_done_again_by_one_that_was_taken_for_lost(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch, error: MailAccountsError
) -> None:
    account = make_account()
    thread = store_message(account, sender=CONTACT, to=account.address).thread
    actions.mark(account.owner, [thread.pk], Act.READ)

    def and_fails_long_after(account: MailAccount) -> None:
        account.actions.update(state=ActionState.DONE, worked_until=None)
        raise error

    monkeypatch.setattr(login, "open_imap", and_fails_long_after)
    tasks.act(account.pk)
    thread.refresh_from_db()
    assert (states(), thread.unread) == ([ActionState.DONE], 0)


def test_two_messages_said_to_lie_at_one_place_are_left_to_the_next_sync(at: Any) -> None:
    with at(
        lambda peer: play(peer, {b"MOVE": b"* OK [COPYUID 5 1:2 77,77] .|OK done"}, able=b"IMAP4rev1 MOVE")
    ) as server:
        account, thread = one_message(server)
        store_message(account, sender=CONTACT, to=account.address, thread=thread)
        MessageUid.objects.exclude(uid=1).update(uid=2)
        actions.move(account.owner, [thread.pk])
        tasks.act(account.pk)
    assert states() == [ActionState.DONE]


def test_an_undo_that_the_server_refuses_is_said_and_what_it_left_is_shown(at: Any) -> None:
    answers = {
        b"FETCH": rb"* 1 FETCH (UID 1 FLAGS (\Seen))|OK done",
        b"MOVE": b"* OK [COPYUID 5 1 77] .|OK done",
    }
    with at(lambda peer: play(peer, answers, able=b"IMAP4rev1 MOVE")) as server:
        account, thread = one_message(server)
        read, moved = actions.mark(account.owner, [thread.pk], Act.READ), actions.move(account.owner, [thread.pk])
        tasks.act(account.pk)
        answers |= {b"STORE": b"NO you may not", b"MOVE": b"NO you may not"}
        for request in (moved, read):
            assert actions.undo(account.owner, request) == 1
        assert lying(thread) == ["INBOX"]
        tasks.act(account.pk)
    thread.refresh_from_db()
    assert (thread.unread, lying(thread)) == (0, ["Archive"])
    assert [inbox_words.refused(each).partition(".")[0] for each in actions.refused(account.owner)] == [
        "Undoing didn't work: 1 message couldn't be moved to INBOX",
        "Undoing didn't work: 1 message couldn't be marked as unread",
    ]
