"""Where a demo keeps its things, and what its processes find in their environment."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import shutil
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROJECT = Path(__file__).resolve().parent.parent.parent
INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "TERM", "TMPDIR", "TZ", "VIRTUAL_ENV")
"""All that a demo's processes take from the environment it is started in: the settings are the demo's own."""
_OF_THE_PROCESS = {*INHERITED, "ENV_FILE", "PYTHONPATH", "PYTHONUNBUFFERED"}


class DemoError(Exception):
    """The demo can't go on; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class World:
    """A directory with everything the demo makes, and nothing else."""

    directory: Path

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def contacts_file(self) -> Path:
        return self.directory / "contacts.csv"

    def mailbox_file(self, username: str) -> Path:
        """A user's mailbox as JSON lines: what is put on the mail server, with the truth about it."""
        return self.directory / f"mailbox-{username}.jsonl"

    @property
    def environment_file(self) -> Path:
        return self.directory / "env"

    @property
    def sandbox_directory(self) -> Path:
        return self.directory / "sandbox"

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Holds the directory for this process; DemoError while another demo lives in it."""
        try:
            self._make()
            file = (self.directory / "lock").open("w")
        except OSError as error:
            raise DemoError(
                f"{self.directory} can't be written to ({error.strerror}). Choose another with --directory."
            ) from None
        with file as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DemoError(
                    f"A demo is already running in {self.directory}. Stop it with Ctrl-C, or give this one a "
                    "directory of its own with --directory."
                ) from None
            yield

    def clear(self) -> None:
        """Removes what an earlier demo left: mail server, provider and database belong together."""
        for entry in self.directory.iterdir():
            if entry.name in {"lock", ".gitignore", ".demo"}:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        self.logs.mkdir()
        self.sandbox_directory.mkdir()

    def environment(self, sandbox: dict[str, str] | None = None) -> dict[str, str]:
        """The environment of the CRM's processes; ``sandbox`` is what the sandbox wants added."""
        return {
            **base_environment(),
            "ENV_FILE": os.devnull,
            "DJANGO_SETTINGS_MODULE": "crm.settings",
            "DEBUG": "1",
            "DATABASE_URL": f"sqlite:///{self.directory / 'demo.sqlite3'}",
            "REDIS_URL": "",
            **self._keys(),
            **(sandbox or {}),
        }

    def keep_environment(self, environment: Mapping[str, str]) -> None:
        """Writes ``environment`` down, less what every process has, for commands given beside the demo: ENV_FILE."""
        lines = [f"{name}='{value}'\n" for name, value in environment.items() if name not in _OF_THE_PROCESS]
        with _private(self.environment_file) as file:
            file.writelines(lines)

    def _make(self) -> None:
        """Makes the directory; DemoError when it is there and holds something else than a demo."""
        mark = self.directory / ".demo"
        with suppress(FileExistsError):
            self.directory.mkdir(parents=True, mode=0o700)
        if not self.directory.is_dir():
            raise DemoError(f"{self.directory} is not a directory. Choose another with --directory.")
        if not mark.exists():
            if any(self.directory.iterdir()):
                raise DemoError(
                    f"{self.directory} isn't empty, and nothing in it is from a demo. Choose another with --directory."
                )
            mark.touch()
            (self.directory / ".gitignore").write_text("*\n")

    def _keys(self) -> dict[str, str]:
        """Secrets made once per world, for nobody but it."""
        file = self.directory / "keys.json"
        if not file.exists():
            made = {
                "SECRET_KEY": secrets.token_urlsafe(50),
                "MAILACCOUNTS_SECRET_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            }
            write_private(file, made)
        found: dict[str, str] = json.loads(file.read_text())
        return found


def base_environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**kept, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(PROJECT)}


def write_private(path: Path, content: Any) -> None:
    """Writes JSON that only its owner can read."""
    with _private(path) as file:
        json.dump(content, file)


def _private(path: Path) -> TextIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w")


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]
