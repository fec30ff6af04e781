"""What a session tells of changes since it last looked: with QRESYNC, CONDSTORE only, neither, and on pymap."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mailaccounts.errors import FolderMissing
from mailaccounts.mail.types import FolderState, Known, Marks
from mailaccounts.testing.sandbox import Sandbox
from tests.integration.mailboxes import imap_of
from tests.integration.test_imap_session import message, sign_in
from tests.sandbox_fixtures import SandboxMailbox, new_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mailaccounts.mail.imap import ImapSession

CONDSTORE_ONLY = "IMAP4rev1 UIDPLUS MOVE IDLE ENABLE CONDSTORE"


@pytest.fixture(scope="module")
def limited() -> Iterator[Callable[[str], SandboxMailbox]]:
    """Makes mailboxes on Dovecots that announce no more than they are told."""
    directories: list[Path] = []
    sandboxes: dict[str, Sandbox] = {}

    def make(capability: str) -> SandboxMailbox:
        if capability not in sandboxes:
            directory = Path(tempfile.mkdtemp(prefix="mailaccounts-limited-"))
            directory.chmod(0o711)
            directories.append(directory)
            sandboxes[capability] = Sandbox(directory, imap="dovecot", imap_capability=capability).__enter__()
        sandbox = sandboxes[capability]
        return SandboxMailbox(sandbox=sandbox, user=sandbox.add_user(new_user()))

    yield make
    for sandbox in sandboxes.values():
        sandbox.__exit__(None, None, None)
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(params=["qresync", "condstore", "neither", "pymap"])
def server(request: pytest.FixtureRequest) -> tuple[str, SandboxMailbox]:
    """The name of a kind of server, and an empty mailbox on it."""
    kind: str = request.param
    if kind in {"qresync", "pymap"}:
        return kind, request.getfixturevalue("mailbox" if kind == "qresync" else "pymap_mailbox")
    capability = CONDSTORE_ONLY if kind == "condstore" else "IMAP4rev1 UIDPLUS"
    return kind, request.getfixturevalue("limited")(capability)


def filled(mailbox: SandboxMailbox, count: int = 9) -> SandboxMailbox:
    for number in range(1, count + 1):
        mailbox.append(message(number), when=datetime(2026, 1, number, 12, tzinfo=UTC))
    return mailbox


def change(mailbox: SandboxMailbox) -> None:
    """Somebody else flags the second message, expunges the fourth to sixth and files one more."""
    with imap_of(mailbox) as other:
        other.select("INBOX")
        first = int(other.uid("SEARCH", "ALL")[1][0].split()[0])
        other.uid("STORE", str(first + 1), "+FLAGS", r"(\Seen \Flagged)")
        other.uid("STORE", f"{first + 3}:{first + 5}", "+FLAGS", r"(\Deleted)")
        other.expunge()
    mailbox.append(message(10))


def round_trips(session: ImapSession, state: Callable[[], object]) -> int:
    before = session.traffic.round_trips
    state()
    return session.traffic.round_trips - before


def test_the_abilities_are_those_announced_after_the_login(server: tuple[str, SandboxMailbox]) -> None:
    kind, mailbox = server
    with sign_in(mailbox) as session:
        able = session.abilities
    told = {name for name in ("qresync", "condstore", "esearch", "list_status", "object_id") if getattr(able, name)}
    assert (
        told
        == {
            "qresync": {"qresync", "condstore", "esearch", "list_status"},
            "condstore": {"condstore"},
            "neither": set(),
            "pymap": {"object_id"},
        }[kind]
    )
    assert able.uidplus
    assert able.message_limit is None


def test_qresync_tells_all_changes_in_the_round_trip_that_opens_the_folder(mailbox: SandboxMailbox) -> None:
    filled(mailbox)
    with sign_in(mailbox) as session:
        before = session.select("INBOX")
        assert (before.resynced, before.vanished, before.changed) == (False, (), {})
        change(mailbox)
        assert before.highestmodseq is not None
        known = Known(uidvalidity=before.uidvalidity, modseq=before.highestmodseq, uids=range(1, 10))
        states: list[FolderState] = []
        assert round_trips(session, lambda: states.append(session.select("INBOX", known=known))) == 1
    [now] = states
    assert now.resynced
    assert now.vanished == ((4, 6),)
    assert dict(now.changed) == {2: frozenset({"\\Seen", "\\Flagged"})}
    assert (now.exists, now.uidnext) == (7, 11)
    assert (now.highestmodseq or 0) > before.highestmodseq


def test_changes_of_messages_that_do_not_matter_are_not_asked_for(mailbox: SandboxMailbox) -> None:
    filled(mailbox)
    with sign_in(mailbox) as session:
        before = session.select("INBOX")
        change(mailbox)
        for uids, vanished in (([1, 3, 5], ((5, 5),)), ([], ())):
            known = Known(uidvalidity=before.uidvalidity, modseq=before.highestmodseq or 0, uids=uids)
            now = session.select("INBOX", known=known)
            assert now.resynced
            assert (now.vanished, now.changed) == (vanished, {})


def test_under_another_uidvalidity_or_a_later_modseq_nothing_is_resynced(mailbox: SandboxMailbox) -> None:
    filled(mailbox, 3)
    with sign_in(mailbox) as session:
        now = session.select("INBOX")
        assert now.highestmodseq
        for known in (
            Known(uidvalidity=now.uidvalidity - 1, modseq=1, uids=[1, 2]),
            Known(uidvalidity=now.uidvalidity, modseq=now.highestmodseq + 1000, uids=[1, 2]),
        ):
            assert not session.select("INBOX", known=known).resynced


def test_what_is_known_of_a_folder_that_is_gone_does_not_end_the_session(mailbox: SandboxMailbox) -> None:
    with sign_in(mailbox) as session:
        with pytest.raises(FolderMissing):
            session.select("nowhere", known=Known(uidvalidity=7, modseq=7, uids=[1]))
        assert session.select("INBOX").exists == 0


def test_scattered_uids_by_the_ten_thousand_fit_a_command_that_opens_a_folder(mailbox: SandboxMailbox) -> None:
    filled(mailbox, 5)
    with sign_in(mailbox) as session:
        now = session.select("INBOX")
        known = Known(uidvalidity=now.uidvalidity, modseq=now.highestmodseq or 0, uids=range(1, 60_000, 3))
        assert session.select("INBOX", known=known).resynced
    longest = max(len(line) for log in mailbox.rawlogs() for line in log.commands)
    assert 4000 < longest < 8192


def test_flags_and_existence_are_told_by_every_server(server: tuple[str, SandboxMailbox]) -> None:
    _, mailbox = server
    filled(mailbox)
    change(mailbox)
    with sign_in(mailbox) as session:
        zero = session.select("INBOX").uidnext - 11
        assert session.existing([zero + uid for uid in (1, 4, 5, 9, 10, 99)]) == {zero + 1, zero + 9, zero + 10}
        assert session.existing([]) == set()
        marks = session.marks([zero + uid for uid in (1, 2, 4, 99)])
        found = {uid - zero: each.flags - {"\\Recent"} for uid, each in marks.items()}
        assert found == {1: set(), 2: {"\\Seen", "\\Flagged"}}
        assert session.marks([]) == {}


@pytest.mark.parametrize("kind", ["mailbox", "condstore"])
def test_with_condstore_only_the_flags_that_changed_are_fetched(
    kind: str, request: pytest.FixtureRequest, limited: Callable[[str], SandboxMailbox]
) -> None:
    mailbox: SandboxMailbox = limited(CONDSTORE_ONLY) if kind == "condstore" else request.getfixturevalue(kind)
    filled(mailbox)
    with sign_in(mailbox) as session:
        before = session.select("INBOX").highestmodseq
        assert before is not None
    change(mailbox)
    with sign_in(mailbox) as session:
        assert (session.select("INBOX").highestmodseq or 0) > before
        assert session.marks(range(1, 10), changed_since=before) == {
            2: Marks(flags=frozenset({"\\Seen", "\\Flagged"}))
        }
        assert session.marks([1, 3], changed_since=before) == {}


def test_without_condstore_there_is_no_modseq(limited: Callable[[str], SandboxMailbox]) -> None:
    with sign_in(limited("IMAP4rev1 UIDPLUS")) as session:
        state = session.select("INBOX", known=Known(uidvalidity=1, modseq=1, uids=[1]))
        assert (state.highestmodseq, state.resynced) == (None, False)


def test_searches_are_answered_by_every_server(server: tuple[str, SandboxMailbox]) -> None:
    _, mailbox = server
    filled(mailbox)
    with sign_in(mailbox) as session:
        zero = session.select("INBOX").uidnext - 10

        def found(*, above: int = 0, below: int | None = None, **days: date) -> list[int]:
            uids = session.search(above=zero + above, below=None if below is None else zero + below, **days)
            return [uid - zero for uid in uids]

        assert found() == list(range(1, 10))
        assert found(above=3, below=6) == [4, 5]
        assert found(above=3, below=4) == []
        assert found(above=9) == []
        assert found(since=date(2026, 1, 8)) == [8, 9]
        assert found(before=date(2026, 1, 3)) == [1, 2]
        assert found(above=4, since=date(2026, 1, 3), before=date(2026, 1, 7)) == [5, 6]
        assert session.holds("m3@x")
        assert not session.holds("m33@x")
