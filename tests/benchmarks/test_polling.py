"""B3 and B4: what it costs to learn that nothing is new, and what is."""

from __future__ import annotations

import imaplib
import os
import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from mailaccounts.mail.imap_fetch import HEADER_ITEMS
from mailaccounts.models import MessageUid
from mailaccounts.services.syncing.sync import sync_account
from mailaccounts.testing.sandbox.mailbox import check
from tests.benchmarks.conftest import connected
from tests.benchmarks.maildir import Maildir, write_plain
from tests.benchmarks.measure import Comparison, compare
from tests.benchmarks.mirror import Mirror
from tests.benchmarks.test_first_sync import MESSAGES, sync_all
from tests.integration.mailboxes import imap_of
from tests.letters import STRANGER, letter
from tests.proxy import Proxy, in_a_process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True)]

FOLDERS = 20
ROUND_TRIP = float(os.environ.get("BENCH_ROUND_TRIP", "0.05"))
FLAGGED, ARRIVED, EXPUNGED = 100, 20, 30


def test_nothing_new_in_twenty_folders(maildir: Maildir, mirror_directory: Path) -> None:
    """B3, from TCP connect to logout."""
    for number in range(FOLDERS - 4):  # INBOX, Sent, Drafts and Trash are there
        maildir.write(letter(STRANGER), when=datetime.now(UTC), folder=f"Folder {number}")
    with in_a_process(maildir.mailbox.sandbox.imap.port, round_trip=ROUND_TRIP) as proxy:
        mirror = Mirror(mailbox=maildir.mailbox, directory=mirror_directory, port=proxy.port)
        account = connected(maildir.mailbox, port=proxy.port)
        sync_all(account)
        mirror.run()
        result = compare(
            f"B3 nothing new in {FOLDERS} folders, {ROUND_TRIP * 1000:.0f} ms away",
            lambda: sync_account(account.pk),
            peer_name="mbsync",
            peer=mirror.run,
            must=0.8,
        )
        proxy.counts()
        assert sync_account(account.pk).error is None
        ours = proxy.counts()
        mirror.run()
        peers = proxy.counts()
    assert account.folders.count() == FOLDERS
    print(  # noqa: T201 - a benchmark is there to be read
        f"\n{result.report()}\nflights, octets: {ours.flights}, {ours.received + ours.sent:,}; "
        f"mbsync {peers.flights}, {peers.received + peers.sent:,}"
    )
    assert ours.flights <= 9
    assert result.ratio <= result.must


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of a session after its login."""

    round_trips: int
    octets: int
    commands: list[str]


def test_flags_arrivals_and_expunges_cost_little_more_than_they_must(maildir: Maildir) -> None:
    """B4, beside the least that QRESYNC makes of it: what changed, and the headers of what is new."""
    write_plain(maildir, MESSAGES, contacts_every=4)
    mailbox = maildir.mailbox
    with Proxy(mailbox.sandbox.imap.port, certificates=mailbox.sandbox.certificates) as proxy:
        account = connected(mailbox, port=proxy.port)
        sync_all(account)
        with imap_of(mailbox) as imap:
            (status,) = check(imap.status("INBOX", "(UIDVALIDITY HIGHESTMODSEQ)"))
            since = " ".join(re.findall(r"\d+", status.decode().rpartition("(")[2]))
            imap.select("INBOX")
            imap.uid("STORE", f"1:{FLAGGED}", "+FLAGS", r"(\Flagged)")
            imap.uid("STORE", f"201:{200 + EXPUNGED}", "+FLAGS", r"(\Deleted)")
            imap.expunge()
            for _ in range(ARRIVED):
                imap.append("INBOX", "", "", letter(STRANGER))
        floor = cost(proxy, mailbox, lambda: ask_for_changes(mailbox, proxy.port, since=since))
        ours = cost(proxy, mailbox, lambda: sync_account(account.pk))
    result = Comparison(
        name=f"B4 octets for {FLAGGED} flags, {ARRIVED} new, {EXPUNGED} expunged of {MESSAGES:,}",
        ours=ours.octets,
        peer_name="the least with QRESYNC",
        peer=floor.octets,
        must=1.5,
    )
    print(  # noqa: T201 - a benchmark is there to be read
        f"\n{result.report().replace(' s,', ' octets,')}",
        f"round trips: {ours.round_trips}, at least {floor.round_trips}",
        *(command[:150] for command in ours.commands),
        sep="\n",
    )
    places = MessageUid.objects.filter(folder__account=account)
    assert places.filter(flags__contains="\\Flagged").count() == FLAGGED / 4
    assert places.count() == MESSAGES / 4 - 8  # of the UIDs 201 to 230, every fourth was a contact's
    assert ours.round_trips <= 1.5 * floor.round_trips
    assert result.ratio <= result.must


def cost(proxy: Proxy, mailbox: SandboxMailbox, work: Callable[[], object]) -> Cost:
    """ENABLE, the goodbye, and what comes before the login, aren't a round trip of it."""
    proxy.reset()
    work()
    commands = [(turn, command.partition(" ")[2]) for turn, command in proxy.counts.commands]
    login = max(index for index, (_, command) in enumerate(commands) if command.startswith(("AUTHENTICATE", "LOGIN ")))
    after = [(turn, command) for turn, command in commands[login + 1 :] if command != "LOGOUT"]
    (log,) = mailbox.rawlogs()[-1:]
    return Cost(
        round_trips=len({turn for turn, command in after if not command.startswith("ENABLE")}),
        octets=len(log.sent) + len(log.received),
        commands=[f"{turn} {command}" for turn, command in after],
    )


def ask_for_changes(mailbox: SandboxMailbox, port: int, *, since: str) -> None:
    """By hand: what RFC 7162 §3.2.5 makes one command of, and one more for the headers of what is new."""
    trusted = ssl.create_default_context(cafile=str(mailbox.sandbox.ca_file))
    with imaplib.IMAP4_SSL("localhost", port, ssl_context=trusted) as imap:
        imap.login(mailbox.address, mailbox.password)
        imap._simple_command("ENABLE", "QRESYNC")  # type: ignore[attr-defined]  # typeshed leaves it out
        imap._simple_command("EXAMINE", "INBOX", f"(QRESYNC ({since}))")  # type: ignore[attr-defined]  # the same
        imap.state, imap.is_readonly = "SELECTED", True  # so that imaplib goes along
        imap.uid("FETCH", f"{MESSAGES + 1}:*", HEADER_ITEMS)
