"""`sync_mailboxes` on a large mailbox: in little memory, and however it is interrupted it goes on where it was."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.db.models import Sum

from tests.benchmarks.maildir import Maildir, write_plain
from tests.crm_process import ROOT, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mailaccounts.models import MailAccount
    from tests.sandbox_fixtures import SandboxMailbox

EVERY = 8  # so many messages one is a contact's
MEGABYTE = 10**6
ENDS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -signal.SIGKILL}
BODY = re.compile(rb"<(\d+)@letters\.test>\r\n\r\nGood morning")
LOOK_SECONDS = 0.01
SMALL = {"HEADER_BATCH": 10, "BODY_BATCH_BYTES": 1_000}  # so that a small mailbox takes as many steps as a large one

# The product's command, with other settings.
COMMAND = """
import json, sys
import django
from django.conf import settings
settings.MAILACCOUNTS.update(json.loads(sys.argv[1]))
django.setup()
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", *sys.argv[2:]])
"""


class Command:
    """A command of the product's on one mailbox, at work; ``peak`` is how many bytes of memory it took so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.peak = process, 0

    def follow(self, enough: Callable[[], bool] = lambda: False) -> None:
        """Waits until it is ``enough`` or the command ends."""
        while self.process.poll() is None and not enough():
            status = Path(f"/proc/{self.process.pid}/status").read_text()
            peak = re.search(r"VmHWM:\s+(\d+) kB", status)
            self.peak = int(peak[1]) * 1024 if peak else self.peak
            time.sleep(LOOK_SECONDS)

    def told(self) -> dict[str, Any]:
        """What it printed, once it has ended well."""
        self.follow()
        out, error = self.process.communicate()
        assert self.process.returncode == 0, error
        told: dict[str, Any] = json.loads(out)
        return told


@contextmanager
def running(name: str, mailbox: SandboxMailbox, changes: dict[str, int]) -> Iterator[Command]:
    arguments = [sys.executable, "-c", COMMAND, json.dumps(changes), name, mailbox.address, "--json"]
    env = environment(**mailbox.sandbox.environment())
    with subprocess.Popen(
        arguments, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Command(process)
        finally:
            process.kill()


def free_lease() -> None:
    """Time passes: the lease of a process that was killed runs out."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE mailaccounts_mailaccount SET lease_until = now() - interval '1 second'")


def bodies(mailbox: SandboxMailbox) -> Counter[int]:
    """How often the server sent the body of each message."""
    return Counter(int(number) for log in mailbox.rawlogs() for number in BODY.findall(log.received))


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("count", "changes"), [(1_000, SMALL), pytest.param(200_000, {}, marks=pytest.mark.soak)]
)  # fmt: skip
def test_it_goes_on_after_every_signal_and_takes_little_memory(
    account: MailAccount, mailbox: SandboxMailbox, count: int, changes: dict[str, int]
) -> None:
    write_plain(Maildir(mailbox=mailbox), count, contacts_every=EVERY)

    def examined() -> int:
        return account.folders.aggregate(all=Sum("examined"))["all"] or 0

    peaks = []
    for part, number in enumerate(ENDS, 1):
        with running("sync_mailboxes", mailbox, changes) as command:
            command.follow(lambda part=part: examined() >= part * count // 4)
            command.process.send_signal(number)
            said = command.process.communicate()
            assert command.process.returncode == ENDS[number], said
        peaks.append(command.peak)
        assert examined() < count
        if number is signal.SIGKILL:
            free_lease()
    before = examined()
    with running("sync_mailboxes", mailbox, changes) as command:
        report = command.told()
    peaks.append(command.peak)
    assert (report["error"], report["status"]) == (None, "ok")
    with running("audit_mailboxes", mailbox, changes) as command:
        agreed = command.told()
    audit = command.peak
    assert {key: agreed[key] for key in ("expected", "present", "missing", "duplicated", "error")} == {
        "expected": count // EVERY, "present": count // EVERY, "missing": 0, "duplicated": 0, "error": None,
    }  # fmt: skip
    assert account.messages.filter(has_body=True, announced=True).count() == count // EVERY
    downloads = bodies(mailbox)
    print(  # noqa: T201 - what a soak is read for
        f"\n{count:,} messages, {before:,} examined before the last run and {report['examined']:,} in it; bodies sent "
        f"twice: {downloads.total() - len(downloads)} of {len(downloads):,}; "
        f"peaks: {', '.join(f'{peak / MEGABYTE:.0f}' for peak in peaks)} MB, of the audit {audit / MEGABYTE:.0f} MB"
    )
    assert set(downloads) == set(range(0, count, EVERY))
    assert max(downloads.values()) <= 2
    assert max(peaks) <= 200 * MEGABYTE
