"""CRM processes beside the test: its commands and its workers, on the test's own database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120  # seconds, on a busy machine


def database_url() -> str:
    """The test's database, as another process names it."""
    at = connection.settings_dict
    return f"postgres://{at['USER']}:{quote(at['PASSWORD'])}@{at['HOST']}:{at['PORT']}/{at['NAME']}"


def environment(**changes: str) -> dict[str, str]:
    """The variables of tests/settings.py, for the CRM's real settings."""
    ours = {"DJANGO_SETTINGS_MODULE": "crm.settings", "DATABASE_URL": database_url(), "Q_WORKERS": "1"}
    return {**os.environ, **ours, **changes}


def manage(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end; fails the test when the command fails."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=env, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    return done


def wait_until(condition: Callable[[], object], *, what: str, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} seconds: {what}")
        time.sleep(0.1)


@contextmanager
def killed(script: str, *arguments: str, env: dict[str, str]) -> Iterator[None]:
    """For the block a process that runs ``script`` stands still, which says "frozen" then; afterwards it is killed."""
    process = subprocess.Popen([sys.executable, "-c", script, *arguments], cwd=ROOT, env=env, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"frozen\n"
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()


class Running:
    """A command of manage.py that runs until it is stopped, with everything it prints in ``log``."""

    program: tuple[str, ...] = ("manage.py",)

    def __init__(self, log: Path, *arguments: str, env: dict[str, str]) -> None:
        self._log, self._arguments, self._env = log, arguments, env

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()
        print(self.printed())  # noqa: T201 - pytest shows it when the test fails

    def start(self) -> None:
        """As often as it has ended."""
        with self._log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, *self.program, *self._arguments],
                cwd=ROOT,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        """With all the processes it started, as when the machine fails."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def printed(self) -> str:
        return self._log.read_text(errors="replace")


class Cluster(Running):
    """`manage.py qcluster`."""

    def __init__(self, log: Path, *, env: dict[str, str]) -> None:
        super().__init__(log, "qcluster", env=env)


# The tick's main work, in a process of the CRM's that stays: starting one takes longer than what it does.
TICK = """
import sys
import django
django.setup()
from mailaccounts.services.syncing.due import enqueue_due
for line in sys.stdin:
    print(enqueue_due(), flush=True)
"""


class Tick:
    """Queues what is due, as the product's tick does every minute; returns how many accounts."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = env

    def __enter__(self) -> Self:
        command = [sys.executable, "-c", TICK]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=self._env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.communicate(timeout=60)

    def __call__(self) -> int:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())
