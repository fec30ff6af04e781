"""Commands sent ahead against real servers: how many waits each task costs, on the wire."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from mailaccounts.errors import UnsafeArgument
from mailaccounts.mail import imap_pipeline, imap_reader
from mailaccounts.mail.imap_connection import quote
from tests.integration.mailboxes import imap_of
from tests.integration.test_imap_session import message, sign_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailaccounts.mail.imap import ImapSession
    from tests.sandbox_fixtures import SandboxMailbox

MULTIPART = (
    b"From: Ann <ann@customer.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello there\r\n"
    b'--b\r\nContent-Type: application/pdf; name="a (\\"b\\").pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    + b"QUJD" * 500
    + b"\r\n--b--\r\n"
)


@pytest.fixture(params=["mailbox", "pymap_mailbox"])
def anywhere(request: pytest.FixtureRequest) -> SandboxMailbox:
    """An empty mailbox on Dovecot and on pymap."""
    mailbox: SandboxMailbox = request.getfixturevalue(request.param)
    return mailbox


def fill(mailbox: SandboxMailbox, count: int) -> None:
    for number in range(1, count + 1):
        mailbox.append(message(number))


def trips(session: ImapSession, action: Callable[[], object]) -> int:
    before = session.traffic.round_trips
    action()
    return session.traffic.round_trips - before


def test_all_folders_and_their_status_come_in_one_flight(mailbox: SandboxMailbox) -> None:
    for number in range(20):
        mailbox.append(message(number), folder=f"Folder {number}")
    mailbox.append(message(99), folder="Folder 7")
    with sign_in(mailbox) as session:
        assert trips(session, lambda: session.folders(status=True)) == 0  # along with ENABLE, which the login sent
        assert trips(session, lambda: session.folders(status=True)) == 1
        folders = {folder.name: folder.status for folder in session.folders(status=True)}
        assert all(folders.values())
        state = session.select("Folder 7")
        told = folders["Folder 7"]
        assert told is not None
        assert (told.uidvalidity, told.uidnext, told.exists, told.highestmodseq) == (
            state.uidvalidity,
            3,
            2,
            state.highestmodseq,
        )
        opened = {folder.name: folder.status for folder in session.folders(status=True)}
        assert opened.pop("Folder 7") is None  # it could be stale
        assert all(opened.values())
    commands = mailbox.rawlogs()[-1].commands
    assert not [command for command in commands if " STATUS " in command and "LIST" not in command]


def test_the_status_of_many_folders_comes_in_few_flights(anywhere: SandboxMailbox) -> None:
    names = [f"Folder {number}" for number in range(60)]
    for name in names:
        anywhere.append(message(1), folder=name)
    with sign_in(anywhere) as session:
        told = session.statuses([*names, "not there", 'with "quotes" & ümläuts'])
        assert told.keys() == set(names)
        assert {(each.exists, bool(each.uidvalidity)) for each in told.values()} == {(1, True)}
        state = session.select(names[3])
        assert told[names[3]].uidnext == state.uidnext
        assert told[names[3]].mailbox_id == state.mailbox_id
        assert trips(session, lambda: session.statuses(names)) == 2
        assert session.statuses(names).keys() == set(names) - {names[3]}  # the open one is not asked for
        assert session.folders(status=True)


def test_headers_are_fetched_four_batches_ahead(anywhere: SandboxMailbox) -> None:
    fill(anywhere, 40)
    with sign_in(anywhere) as session:
        session.select("INBOX")
        uids = session.search()
        before = session.traffic.round_trips
        newest_first = list(reversed(uids))
        batches = list(session.headers(newest_first, batch=4))
        assert [[each.uid for each in batch] for batch in batches] == [
            newest_first[start : start + 4] for start in range(0, 40, 4)
        ]
        assert session.traffic.round_trips - before == 3  # ten commands, four at a time


def test_other_commands_may_come_between_the_batches(anywhere: SandboxMailbox) -> None:
    fill(anywhere, 12)
    with sign_in(anywhere) as session:
        session.select("INBOX")
        uids = session.search()
        seen = []
        for batch in session.headers(uids, batch=3):
            seen += [each.uid for each in batch]
            bodies = list(session.bodies({each.uid: each.size for each in batch}, max_bytes=10_000))
            assert [each.uid for each in bodies] == [each.uid for each in batch]
            assert all(b"Hello" in each.raw for each in bodies)
            assert session.search() == uids
            assert session.marks([batch[0].uid]).keys() == {batch[0].uid}
        assert seen == uids


def test_whoever_stops_reading_headers_goes_on_with_something_else(anywhere: SandboxMailbox) -> None:
    fill(anywhere, 12)
    with sign_in(anywhere) as session:
        session.select("INBOX")
        uids = session.search()
        for batch in session.headers(uids, batch=2):
            assert len(batch) == 2
            break
        assert session.select("INBOX").exists == 12
        assert [each.uid for each in next(session.headers(uids[:1]))] == uids[:1]
        assert session.search() == uids


def test_batches_of_one_folder_never_come_from_another(mailbox: SandboxMailbox) -> None:
    fill(mailbox, 12)
    with sign_in(mailbox) as session:
        session.select("INBOX")
        batches = session.headers(session.search(), batch=2)
        next(batches)
        session.select("Sent")
        with pytest.raises(RuntimeError):
            next(batches)


def test_bodies_are_asked_for_by_their_bytes(mailbox: SandboxMailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap_reader, "BODY_BATCH", 30_000)
    raws = {uid: message(uid, body=b"x" * size) for uid, size in enumerate((9_000, 9_000, 9_000, 50_000, 100, 100), 1)}
    for raw in raws.values():
        mailbox.append(raw)
    with sign_in(mailbox) as session:
        session.select("INBOX")
        sizes = {uid: len(raw) for uid, raw in raws.items()} | {99: 10}
        before = session.traffic.round_trips
        assert {each.uid: each.raw for each in session.bodies(sizes, max_bytes=10**6)} == raws
        assert session.traffic.round_trips - before == 1
    fetches = [command.split()[3] for command in mailbox.rawlogs()[-1].commands if " FETCH " in command]
    assert fetches == ["1:3", "4", "5:6,99"]


def test_of_long_messages_fewer_are_under_way(mailbox: SandboxMailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap_pipeline, "AHEAD_OCTETS", 250_000)
    monkeypatch.setattr(imap_reader, "BODY_BATCH", 30_000)
    raws = {uid: message(uid, body=b"x" * 100_000) for uid in range(1, 7)}
    for raw in raws.values():
        mailbox.append(raw)
    with sign_in(mailbox) as session:
        session.select("INBOX")
        before = session.traffic.round_trips
        bodies = session.bodies({uid: len(raw) for uid, raw in raws.items()}, max_bytes=10**6)
        assert {each.uid: each.raw for each in bodies} == raws
        assert session.traffic.round_trips - before == 3  # six commands, two at a time
        [one] = session.bodies({1: 10**6}, max_bytes=10**6)
        assert one.raw == raws[1]


def test_a_message_of_unknown_size_counts_for_a_lot(mailbox: SandboxMailbox) -> None:
    fill(mailbox, 9)
    with sign_in(mailbox) as session:
        session.select("INBOX")
        assert len(list(session.bodies(dict.fromkeys(range(1, 10), 0), max_bytes=10**6))) == 9
    assert [command.split()[3] for command in mailbox.rawlogs()[-1].commands if " FETCH " in command] == [
        "1:4",
        "5:8",
        "9",
    ]


def test_every_command_stays_within_a_line_whatever_uids_there_are(mailbox: SandboxMailbox) -> None:
    fill(mailbox, 3)
    scattered = range(1, 2**32 - 1, 2**32 // 3000)
    with sign_in(mailbox) as session:
        session.select("INBOX")
        assert sum(map(len, session.headers(scattered, batch=5000))) == 1
        assert len(list(session.bodies(dict.fromkeys(scattered, 1), max_bytes=100))) == 1
        assert session.marks(scattered).keys() == session.existing(scattered) == {1}
        assert session.marks(scattered, changed_since=1).keys() <= {1}
    assert max(len(command) for command in mailbox.rawlogs()[-1].commands) < 8192


def test_a_structure_is_told_and_a_part_fetched_without_the_rest(anywhere: SandboxMailbox) -> None:
    anywhere.append(MULTIPART)
    fill(anywhere, 1)
    with sign_in(anywhere) as session:
        session.select("INBOX")
        uids = session.search()
        structures = session.structures([*uids, uids[-1] + 9])
        assert structures.keys() == set(uids)
        assert [(leaf.section, leaf.content_type) for leaf in structures[uids[0]]][-1] == ("2", "application/pdf")
        until = time.monotonic() + 60
        part = session.part(uids[0], "2", max_bytes=10_000, until=until)
        assert part is not None
        assert (part.raw.strip(), part.truncated) == (b"QUJD" * 500, False)
        cut = session.part(uids[0], "2", max_bytes=100, until=until)
        assert cut is not None
        assert (cut.raw, cut.truncated) == (b"QUJD" * 25, True)
        assert session.part(uids[-1] + 9, "1", max_bytes=100, until=until) is None
        for section in ("", "1] BODY[", "HEADER", "1\r\n"):
            with pytest.raises(UnsafeArgument):
                session.part(uids[0], section, max_bytes=100, until=until)
    with imap_of(anywhere) as other:
        other.select("INBOX", readonly=True)
        assert other.search(None, "SEEN")[1] == [b""]  # peeked


def test_a_renamed_folder_keeps_its_id_where_the_server_has_ids(pymap_mailbox: SandboxMailbox) -> None:
    pymap_mailbox.append(message(1), folder="Old")
    with sign_in(pymap_mailbox) as session:
        before = session.statuses(["Old"])["Old"].mailbox_id
        session._imap.run("RENAME", quote(b"Old", what="name"), quote(b"New", what="name"))
        assert before
        assert session.statuses(["New"])["New"].mailbox_id == before
        assert session.select("New").mailbox_id == before
