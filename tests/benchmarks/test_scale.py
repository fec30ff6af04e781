"""B7 and B8: a large mailbox costs no more than a small one, neither time for what is new nor memory.

``BENCH_MANY`` is how many messages the large one has; the small one has a hundredth.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

import pytest

from mailaccounts.models import Message
from mailaccounts.services.syncing.sync import sync_account
from tests.benchmarks.conftest import connected
from tests.benchmarks.maildir import CONTACTS, Maildir, write_plain
from tests.benchmarks.measure import Comparison, compare
from tests.benchmarks.test_first_sync import sync_all
from tests.crm.builders import make_contact
from tests.crm_process import ROOT, environment
from tests.integration.mailboxes import imap_of
from tests.letters import letter

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailaccounts.models import MailAccount
    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600), pytest.mark.django_db(transaction=True)]

MANY = int(os.environ.get("BENCH_MANY", "200000"))
FEW = MANY // 100
NEW = 10
SETTLES = 1.5  # seconds: until then Dovecot reads a directory that has changed from end to end at each look
MEGABYTE = 10**6
CONTACT = CONTACTS[0].address

# The product's command, which tells at its end how much memory it had at most.
COMMAND = """
import sys
import django
django.setup()
from django.core.management import execute_from_command_line
try:
    execute_from_command_line(["manage.py", "sync_mailboxes", *sys.argv[1:]])
finally:
    (line,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    print(int(line.split()[1]) * 1024)
"""


def test_what_is_new_costs_the_same_in_a_large_mailbox(
    world: Sandbox, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    """B7, and before it the same by a bare session, for what of the ratio is the server's."""
    large, small = new_mailbox(), new_mailbox()
    accounts: dict[SandboxMailbox, MailAccount] = {}
    known: dict[SandboxMailbox, Known] = {}
    for mailbox, count in ((large, MANY), (small, FEW)):
        write_plain(Maildir(mailbox=mailbox), count)
        accounts[mailbox] = connected(mailbox)
        sync_all(accounts[mailbox])

    def arrive() -> None:
        for mailbox in accounts:
            known[mailbox] = Known.read(mailbox)
            for number in range(NEW):
                mailbox.append(letter(CONTACT if number % 2 else "offers@shop.test"))
        time.sleep(SETTLES)
        for mailbox in accounts:
            with imap_of(mailbox) as imap:
                imap.select("INBOX", readonly=True)

    floor = compare(
        f"B7 bare session, {NEW} new in {MANY:,} messages",
        lambda: known[large].catch_up(large),
        peer_name=f"in {FEW:,}",
        peer=lambda: known[small].catch_up(small),
        must=1.3,
        prepare=arrive,
    )
    print(f"\n{floor.report()}")  # noqa: T201 - a benchmark is there to be read
    for account in accounts.values():
        sync_all(account)
    result = compare(
        f"B7 {NEW} new in {MANY:,} messages",
        lambda: sync_account(accounts[large].pk),
        peer_name=f"in {FEW:,}",
        peer=lambda: sync_account(accounts[small].pk),
        must=1.3,
        prepare=arrive,
    )
    print(f"\n{result.report()}")  # noqa: T201 - a benchmark is there to be read
    assert result.ratio <= result.must


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """How far somebody had read an inbox."""

    uidvalidity: int
    uidnext: int
    modseq: int

    @classmethod
    def read(cls, mailbox: SandboxMailbox) -> Self:
        with imap_of(mailbox) as imap:
            _, (told,) = imap.status("INBOX", "(UIDVALIDITY UIDNEXT HIGHESTMODSEQ)")
        figures = {name: int(figure) for name, figure in re.findall(rb"([A-Z]+) (\d+)", told)}
        return cls(uidvalidity=figures[b"UIDVALIDITY"], uidnext=figures[b"UIDNEXT"], modseq=figures[b"HIGHESTMODSEQ"])

    def catch_up(self, mailbox: SandboxMailbox) -> None:
        """The least it takes: a login, one SELECT with QRESYNC, the headers of what is new and half of its bodies."""
        with imap_of(mailbox) as imap:
            imap.enable("QRESYNC")
            imap._simple_command("SELECT", "INBOX", f"(QRESYNC ({self.uidvalidity} {self.modseq}))")  # type: ignore[attr-defined]  # typeshed leaves it out
            imap.state = "SELECTED"
            _, headers = imap.uid("FETCH", f"{self.uidnext}:*", "(FLAGS BODY.PEEK[HEADER])")
            _, bodies = imap.uid("FETCH", f"{self.uidnext + NEW // 2}:*", "(BODY.PEEK[])")
        assert (headers.count(b")"), bodies.count(b")")) == (NEW, NEW // 2)


def memory(mailbox: SandboxMailbox) -> int:
    """Bytes that the first sync of a mailbox takes at most, in a process of its own."""
    connected(mailbox)
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, mailbox.address, "--json"],
        cwd=ROOT,
        env=environment(**mailbox.sandbox.environment()),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.splitlines()[-1])


def test_memory_does_not_grow_with_the_mailbox(world: Sandbox, new_mailbox: Callable[[], SandboxMailbox]) -> None:
    """B8, the first half."""
    peaks = []
    for count in (FEW, MANY):
        mailbox = new_mailbox()
        write_plain(Maildir(mailbox=mailbox), count)
        peaks.append(memory(mailbox))
    result = Comparison(
        name=f"B8 memory for {MANY:,} messages",
        ours=peaks[1] / MEGABYTE,
        peer_name=f"for {FEW:,}",
        peer=peaks[0] / MEGABYTE,
        must=1.3,
    )
    print(f"\n{result.report().replace(' s,', ' MB,')}")  # noqa: T201 - a benchmark is there to be read
    assert peaks[1] <= 200 * MEGABYTE
    assert result.ratio <= result.must


def test_memory_does_not_grow_with_a_message(world: Sandbox, new_mailbox: Callable[[], SandboxMailbox]) -> None:
    """B8, the second half: one of 60 MB, nearly all of it attached, beside one of a kilobyte."""
    make_contact(CONTACT)
    peaks = []
    for size in (1_000, 45 * MEGABYTE):  # a third more in base64
        mailbox = new_mailbox()
        maildir = Maildir(mailbox=mailbox)
        maildir.write(letter(CONTACT, attachment=os.urandom(size)), when=datetime.now(UTC))
        peaks.append(memory(mailbox))
    small, large = (peak / MEGABYTE for peak in peaks)
    print(f"\nB8 memory for a message of 60 MB: {large:.0f} MB, of 1 kB: {small:.0f} MB")  # noqa: T201 - to be read
    assert Message.objects.count() == 2
    assert Message.objects.get(size__gt=MEGABYTE).body_text.strip() == "Good morning"
    assert peaks[1] <= 200 * MEGABYTE
