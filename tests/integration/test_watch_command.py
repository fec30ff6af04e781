"""`watch_mailboxes` as a process: what it prints, how it ends, and what becomes of its accounts when it is killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from mailaccounts.services.limits import watch_fleet
from mailaccounts.services.syncing.sync import sync_account
from tests.crm_process import ROOT, environment, wait_until
from tests.letters import letter
from tests.watching import healthy, is_marked, pass_seconds, queued_syncs, watching

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailaccounts.models import MailAccount
    from tests.sandbox_fixtures import SandboxMailbox


@pytest.fixture
def synced(account: MailAccount) -> MailAccount:
    assert sync_account(account.pk).error is None
    return healthy(account)


@contextmanager
def running(mailbox: SandboxMailbox) -> Iterator[subprocess.Popen[str]]:
    """The command, once it watches the mailbox."""
    command = [sys.executable, "manage.py", "watch_mailboxes", "--json"]
    env = environment(**mailbox.sandbox.environment())
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert any(json.loads(line)["watched"] == 1 for line in process.stdout)
            yield process
        finally:
            process.kill()


def last_line(process: subprocess.Popen[str], **wanted: int) -> dict[str, Any]:
    assert process.stdout is not None
    for line in process.stdout:
        told: dict[str, Any] = json.loads(line)
        if wanted.items() <= told.items():
            return told
    raise AssertionError("it ended without saying so")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_watches_until_it_is_told_to_stop_and_then_lets_go(
    synced: MailAccount, mailbox: SandboxMailbox, number: signal.Signals
) -> None:
    with running(mailbox) as process:
        assert is_marked(synced)
        mailbox.append(letter())
        told = last_line(process, syncs=1)
        assert told == {"watched": 1, "waiting": 0, "changes": 1, "syncs": 1, "lost": 0, "failed": 0}
        assert queued_syncs(synced) == 1
        process.send_signal(number)
        assert process.wait(60) == 0
    assert not is_marked(synced)


def test_another_takes_over_from_one_that_is_killed(
    synced: MailAccount, mailbox: SandboxMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_fleet, "BEAT_SECONDS", 0.2)
    with running(mailbox) as process, watching() as other:
        process.kill()
        process.wait()
        mailbox.append(letter())
        assert is_marked(synced), "nobody knows yet"
        assert not other.watches(synced)
        pass_seconds(60)
        other.wait_for(synced)
        wait_until(lambda: queued_syncs(synced) == 1, what="what came meanwhile is noticed")
