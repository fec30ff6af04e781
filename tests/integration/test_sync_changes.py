"""What happens to mail in the mailbox happens in the store: one result, whatever the server can tell of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from mailaccounts.mail.imap import ImapSession
from mailaccounts.models import MessageUid
from mailaccounts.rules import sync_plan
from tests.crm.builders import make_contact
from tests.integration.mailboxes import imap_of, recreate, stored_ids
from tests.letters import CONTACT, STRANGER, letter, new_id

if TYPE_CHECKING:
    import imaplib

    from pytest_django.fixtures import SettingsWrapper

    from crm.models import Contact
    from mailaccounts.models import MailAccount
    from tests.integration.ways import There


@pytest.fixture(autouse=True)
def _flags_are_always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the server doesn't tell of them, they would be looked at every few minutes."""
    monkeypatch.setattr(sync_plan, "INBOX_COMPARED_EVERY", timedelta(0))
    monkeypatch.setattr(sync_plan, "COMPARED_EVERY", timedelta(0))


@pytest.fixture(autouse=True)
def _contact(transactional_db: None) -> Contact:
    return make_contact(CONTACT)


def ok(answer: tuple[str, list[object]]) -> None:
    assert answer[0] == "OK", answer


def expunge(imap: imaplib.IMAP4, uids: str) -> None:
    ok(imap.uid("STORE", uids, "+FLAGS", r"(\Deleted)"))
    ok(imap.expunge())


def keys(account: MailAccount) -> dict[str, int]:
    return dict(account.messages.values_list("message_id", "pk"))


def flags(account: MailAccount) -> dict[str, tuple[str, bool]]:
    rows = MessageUid.objects.filter(folder__account=account)
    return {
        message_id: (text, seen) for message_id, text, seen in rows.values_list("message__message_id", "flags", "seen")
    }


def gone(account: MailAccount) -> list[str]:
    return sorted(account.messages.filter(gone_since__isnull=False).values_list("message_id", flat=True))


def test_flags_expunges_moves_and_new_mail(there: There) -> None:
    for name in ("flagged", "expunged", "moved", "left"):
        there.mailbox.append(letter(message_id=f"{name}@x"))
        there.mailbox.append(letter(STRANGER))
    there.mailbox.append(letter(message_id="seen@x"), "Projects", flags=r"\Seen")
    there.sync()
    before = keys(there.account)
    assert flags(there.account)["seen@x"] == (r"\Seen", True)
    with imap_of(there.mailbox) as imap:
        ok(imap.select("INBOX"))
        ok(imap.uid("STORE", f"{there.uid(1)}", "+FLAGS", r"(\Seen \Flagged)"))
        ok(imap.uid("MOVE", f"{there.uid(5)}", "Projects"))
        expunge(imap, f"{there.uid(2)}:{there.uid(4)}")  # and two of a stranger's
        ok(imap.select("Projects"))
        ok(imap.uid("STORE", f"{there.uid(1)}", "-FLAGS", r"(\Seen)"))
    there.mailbox.append(letter(message_id="new@x"))
    report = there.sync()
    assert (report.bodies_fetched, report.stored) == (1, 1)
    assert keys(there.account).items() >= before.items()  # the same rows
    assert there.places() == [("INBOX", 1), ("INBOX", 7), ("INBOX", 9), ("Projects", 1), ("Projects", 2)]
    assert flags(there.account) == {
        "flagged@x": (r"\Flagged \Seen", True),
        "left@x": ("", False),
        "moved@x": ("", False),
        "new@x": ("", False),
        "seen@x": ("", False),
    }
    assert gone(there.account) == ["expunged@x"]
    report = there.sync()
    assert (report.examined, report.stored, report.bodies_fetched) == (0, 0, 0)
    assert gone(there.account) == ["expunged@x"]


def test_a_message_moved_away_and_back_is_the_one_it_was(there: There) -> None:
    there.mailbox.append(letter(message_id="a@x"))
    there.mailbox.append(letter(STRANGER), "Trash")
    there.sync()
    before = keys(there.account)
    with imap_of(there.mailbox) as imap:
        ok(imap.select("INBOX"))
        ok(imap.uid("MOVE", f"{there.uid(1)}", "Trash"))
    there.sync()
    assert (there.places(), gone(there.account)) == ([], ["a@x"])
    with imap_of(there.mailbox) as imap:
        ok(imap.select("Trash"))
        ok(imap.uid("MOVE", f"{there.uid(2)}", "INBOX"))
    assert there.sync().bodies_fetched == 0
    assert (there.places(), gone(there.account), keys(there.account)) == ([("INBOX", 2)], [], before)


def test_a_renamed_folder_keeps_its_row_and_nothing_is_read_again(there: There) -> None:
    for _ in range(3):
        there.mailbox.append(letter(), "Projects")
    there.sync()
    folder = there.account.folders.get(name="Projects")
    with imap_of(there.mailbox) as imap:
        ok(imap.rename("Projects", "Undertakings"))
    there.mailbox.append(letter(message_id="new@x"), "Undertakings")
    report = there.sync()
    assert (report.examined, report.bodies_fetched) == (1, 1)
    assert there.account.folders.get(name="Undertakings").pk == folder.pk
    assert not there.account.folders.filter(name="Projects").exists()
    assert there.places() == [("Undertakings", uid) for uid in (1, 2, 3, 4)]


def test_a_deleted_folder_is_given_up_at_the_second_sync_and_its_mail_known_again_when_it_comes_back(
    there: There,
) -> None:
    raw = [letter(message_id=f"{number}@x") for number in range(3)]
    for each in raw:
        there.mailbox.append(each, "Projects")
    there.sync()
    before = keys(there.account)
    with imap_of(there.mailbox) as imap:
        ok(imap.delete("Projects"))
    there.sync()
    assert there.account.folders.get(name="Projects").missing_since is not None
    assert gone(there.account) == []
    there.sync()
    assert (there.places(), len(gone(there.account))) == ([], 3)
    for each in raw:
        there.mailbox.append(each, "Projects")
    report = there.sync()
    assert (report.examined, report.bodies_fetched) == (3, 0)
    assert there.account.folders.get(name="Projects").missing_since is None
    assert (len(there.places()), gone(there.account), keys(there.account)) == (3, [], before)


def test_a_new_uidvalidity_loses_nothing_doubles_nothing_downloads_nothing(there: There) -> None:
    raw = {new_id(): b"" for _ in range(4)}
    for each in raw:
        raw[each] = letter(message_id=each)
        there.mailbox.append(raw[each], "Projects")
    there.sync()
    before, dropped = keys(there.account), next(iter(raw))
    recreate(there.mailbox, "Projects", [each for key, each in reversed(raw.items()) if key != dropped])
    report = there.sync()
    assert (report.stored, report.bodies_fetched) == (0, 0)
    assert keys(there.account) == before
    assert there.places() == [("Projects", uid) for uid in (1, 2, 3)]
    assert gone(there.account) == [dropped]


def test_uids_that_went_backwards_are_sorted_out_by_what_the_messages_are(there: There) -> None:
    """As after restoring a backup: UIDNEXT is lower than it was, and some UIDs are those of other messages now."""
    there.mailbox.append(letter(STRANGER))
    for number in range(4):
        there.mailbox.append(letter(message_id=f"{number}@x"))
    there.sync()
    before = keys(there.account)
    rows = MessageUid.objects.filter(folder__account=there.account)
    rows.filter(message__message_id="3@x").update(uid=there.uid(1))  # which is a stranger's now
    rows.filter(message__message_id="0@x").update(uid=there.uid(40))  # which has yet to come
    there.account.folders.filter(name="INBOX").update(last_uid=there.uid(40), uidnext=there.uid(41))
    report = there.sync()
    assert (report.stored, report.bodies_fetched, report.examined) == (0, 0, 5)
    assert keys(there.account) == before
    assert there.places() == [("INBOX", uid) for uid in (2, 3, 4, 5)]
    assert set(rows.values_list("uidvalidity", flat=True)) == {there.account.folders.get(name="INBOX").uidvalidity}
    assert gone(there.account) == []
    assert stored_ids(there.account) == ["0@x", "1@x", "2@x", "3@x"]


def test_an_interrupted_look_at_new_mail_forgets_no_expunge(there: There, settings: SettingsWrapper) -> None:
    for number in range(3):
        there.mailbox.append(letter(message_id=f"{number}@x"))
    there.sync()
    budget = {"SYNC_BUDGET": 0, "HEADER_BATCH": 1}
    before, settings.MAILACCOUNTS = settings.MAILACCOUNTS, {**settings.MAILACCOUNTS, **budget}
    for number in range(3, 6):
        there.mailbox.append(letter(message_id=f"{number}@x"))
    assert not there.sync().finished
    with imap_of(there.mailbox) as imap:
        ok(imap.select("INBOX"))
        expunge(imap, f"{there.uid(1)}:{there.uid(2)}")
    settings.MAILACCOUNTS = before
    assert there.sync().finished
    assert there.places() == [("INBOX", uid) for uid in (3, 4, 5, 6)]
    assert gone(there.account) == ["0@x", "1@x"]


def test_a_server_that_forgets_half_a_mailbox_for_a_moment_is_asked_again(
    there: There, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(25):
        there.mailbox.append(letter())
    there.sync()
    with imap_of(there.mailbox) as imap:
        ok(imap.select("INBOX"))
        expunge(imap, f"{there.uid(7)}")
    original = ImapSession.select

    def all_vanished(self: ImapSession, name: str, **rest: object) -> object:
        state = original(self, name, **rest)
        if state.resynced:
            return replace(state, vanished=((1, 25),))
        return state

    monkeypatch.setattr(ImapSession, "select", all_vanished)
    monkeypatch.setattr(ImapSession, "existing", lambda self, uids: set())
    there.sync()
    assert len(there.places()) == 24
    assert len(gone(there.account)) == 1


def test_a_poll_that_finds_nothing_takes_the_round_trips_that_the_server_allows(
    there: There, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync_plan, "INBOX_COMPARED_EVERY", timedelta(hours=1))
    monkeypatch.setattr(sync_plan, "COMPARED_EVERY", timedelta(hours=1))
    for number in range(6):
        there.mailbox.append(letter(), f"Folder {number}")
    there.sync()
    there.sync()
    report = there.sync()
    assert (report.examined, report.folders) == (0, 8 if there.way != "pymap" else report.folders)
    assert report.round_trips == {"qresync": 2, "condstore": 2, "neither": 3, "pymap": 3}[there.way]
    if there.way != "pymap":
        commands = [command.split(" ", 2)[1] for command in there.mailbox.rawlogs()[-1].commands]
        assert not {"EXAMINE", "SELECT", "UID"} & set(commands)
