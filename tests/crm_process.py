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


def wait_until(condition: Callable[[], object], *, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {PATIENCE} seconds: {what}")
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


class Cluster:
    """`manage.py qcluster`, with everything it prints in ``log``."""

    def __init__(self, log: Path, *, env: dict[str, str]) -> None:
        self._log, self._env = log, env

    def __enter__(self) -> Self:
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "qcluster"],
                cwd=ROOT,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        print(self.printed())  # noqa: T201 - pytest shows it when the test fails

    def printed(self) -> str:
        return self._log.read_text(errors="replace")
