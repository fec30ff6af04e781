"""A command whose database isn't there, or wasn't migrated, ends in a sentence with the next step."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
OUT_OF_REACH = "CommandError: The database can't be reached. Start it, or correct DATABASE_URL."
COMMANDS = [
    ("after_restore",),
    ("audit_mailboxes", "--all", "--json"),
    ("connect_mailbox", "anna@example.test", "--owner", "anna", "--backend", "password", "--secret-file", "-"),
    ("export_audit",),
    ("export_mail", "--contact", "anna@example.test"),
    ("import_contacts", "-"),
    ("migrate_mailboxes", "anna@example.test", "--to", "xoauth2"),
    ("probe_mailbox", "anna@example.test"),
    ("rotate_keys",),
    ("sync_mailboxes", "--all"),
]


def arguments(database_url: str, *command: str) -> dict[str, Any]:
    """To run the command with nothing in its database."""
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "crm.settings", "DATABASE_URL": database_url}
    return {"args": [sys.executable, "manage.py", *command], "cwd": ROOT, "env": env, "text": True}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_one_that_was_not_migrated_is_told_in_a_sentence(command: tuple[str, ...], tmp_path: Path) -> None:
    run = subprocess.run(
        **arguments(f"sqlite:///{tmp_path}/new.sqlite3", *command),
        capture_output=True,
        input="name,email\nAnna,a@b.test\n",
    )
    (said,) = run.stderr.splitlines()
    assert (run.returncode, run.stdout) == (1, "")
    assert said.startswith("CommandError: Migrations of ") and said.endswith("aren't applied. Run manage.py migrate.")


@pytest.mark.parametrize("command", [("sync_mailboxes", "--all"), ("import_contacts", "-")], ids=lambda each: each[0])
def test_one_out_of_reach_is_told_without_its_password(command: tuple[str, ...], closed_port: int) -> None:
    url = f"postgres://crm:s3cret@127.0.0.1:{closed_port}/crm"
    run = subprocess.run(**arguments(url, *command), capture_output=True, input="name,email\nAnna,a@b.test\n")
    assert (run.returncode, run.stderr.splitlines()[-1]) == (1, OUT_OF_REACH)
    assert "Traceback" not in run.stderr and "s3cret" not in run.stderr


def test_a_watcher_waits_for_it_and_says_so(tmp_path: Path) -> None:
    with subprocess.Popen(
        **arguments(f"sqlite:///{tmp_path}/new.sqlite3", "watch_mailboxes"), stderr=subprocess.PIPE
    ) as watcher:
        assert watcher.stderr is not None
        assert "Run manage.py migrate. The watcher waits for that." in watcher.stderr.readline()
        assert "the watcher goes on without its database" in watcher.stderr.readline()
        watcher.kill()
