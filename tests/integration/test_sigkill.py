"""`sync_mailboxes` killed at a random moment: whoever comes next makes up for it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.crm_process import ROOT, environment
from tests.disturbed import SMALL_STEPS, Disturbed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    from pytest_django.fixtures import SettingsWrapper

    from crm.models import Contact
    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)

# Does the product's command for each address it reads, in a child that was forked when everything was imported:
# most of what a process of its own does until it is killed would be importing.
NURSERY = f"""
import os, sys
import django
from django.conf import settings
settings.MAILACCOUNTS.update({SMALL_STEPS})
django.setup()
from django.core.management import call_command, load_command_class
load_command_class("mailaccounts", "sync_mailboxes")
for address in sys.stdin:
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        call_command("sync_mailboxes", address.strip())
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


class Nursery:
    """Children that sync a mailbox each."""

    def __init__(self, sandbox: Sandbox) -> None:
        env = environment(**sandbox.environment())
        self._process = subprocess.Popen(
            [sys.executable, "-c", NURSERY],
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.communicate(timeout=60)

    def sync(self, address: str, *, seconds: float | None = None) -> float:
        """Has it synced, and killed after ``seconds``; returns how long it took."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{address}\n")
        self._process.stdin.flush()
        child, started = int(self._process.stdout.readline()), time.monotonic()
        if seconds is not None:
            time.sleep(seconds)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        assert self._process.stdout.readline() == "ended\n"
        return time.monotonic() - started


@pytest.fixture
def nursery(world: Sandbox, contact: Contact, settings: SettingsWrapper) -> Iterator[Nursery]:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, **SMALL_STEPS}
    with Nursery(world) as nursery:
        yield nursery


def kill_at_random(nursery: Nursery, new_mailbox: Callable[[], SandboxMailbox], *, times: int) -> None:
    rng = Random(7)  # noqa: S311 - moments, not secrets
    whole = Disturbed.made(new_mailbox())
    seconds = nursery.sync(whole.mailbox.address)
    whole.check()
    assert max(whole.downloads().values()) == 1
    for _ in range(times):
        disturbed = Disturbed.made(new_mailbox())
        nursery.sync(disturbed.mailbox.address, seconds=rng.uniform(0, seconds))
        disturbed.free_lease()
        disturbed.finish()
        disturbed.check()


def test_a_sync_killed_at_a_random_moment_loses_and_doubles_nothing(
    nursery: Nursery, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    kill_at_random(nursery, new_mailbox, times=6)


@pytest.mark.soak
def test_two_hundred_kills_lose_and_double_nothing(
    nursery: Nursery, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    kill_at_random(nursery, new_mailbox, times=200)
