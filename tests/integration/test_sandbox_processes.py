"""The sandbox as processes: starts as a command, stops with its parent, leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mailaccounts.presets import find, load_extra
from mailaccounts.testing.sandbox import Sandbox, SandboxError
from mailaccounts.testing.sandbox.process import free_port
from tests.integration.sandbox_clients import imap_connection
from tests.sandbox_fixtures import new_user

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = [sys.executable, "-m", "mailaccounts.testing.sandbox"]


def descendants(pid: int) -> set[int]:
    """Every process below ``pid``, from /proc."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found: set[int] = set()
    queue = [pid]
    while queue:
        below = children.get(queue.pop(), [])
        found.update(below)
        queue.extend(below)
    return found


def running(pids: set[int]) -> set[int]:
    """Those that run; a zombie that init has yet to collect doesn't."""
    alive = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                alive.add(pid)
    return alive


def wait_until_gone(pids: set[int]) -> None:
    deadline = time.monotonic() + 60
    while left := running(pids):
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.05)


@contextlib.contextmanager
def command(directory: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*COMMAND, "--directory", str(directory), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def announcement(process: subprocess.Popen[str]) -> dict[str, dict[str, str]]:
    assert process.stdout is not None
    line: dict[str, dict[str, str]] = json.loads(process.stdout.readline())
    return line


@pytest.mark.parametrize("imap", ["dovecot", "pymap"])
def test_a_stopped_sandbox_leaves_no_process(sandbox_directory: Path, imap: str) -> None:
    before = descendants(os.getpid())
    sandbox = Sandbox(sandbox_directory, imap=imap, users=[new_user()])
    with sandbox:
        started = descendants(os.getpid()) - before
        assert len(started) >= 3

    wait_until_gone(started)
    sandbox.stop()  # once more does no harm


@pytest.mark.parametrize("imap", ["dovecot", "pymap"])
def test_the_servers_end_when_their_parent_is_killed(sandbox_directory: Path, imap: str) -> None:
    with command(sandbox_directory, "--imap", imap) as process:
        announcement(process)
        started = descendants(process.pid)
        assert len(started) >= 3

        process.send_signal(signal.SIGKILL)
        process.wait()

        wait_until_gone(started)


@pytest.mark.parametrize("how", ["end of input", "SIGTERM", "SIGINT"])
def test_the_command_stops_when_told_to(sandbox_directory: Path, how: str) -> None:
    with command(sandbox_directory, "--imap", "pymap") as process:
        announcement(process)
        started = descendants(process.pid)

        if how == "end of input":
            assert process.stdin is not None
            process.stdin.close()
        else:
            process.send_signal(signal.Signals[how])

        assert process.wait(60) == 0
        wait_until_gone(started)


def test_a_second_one_in_the_same_directory_is_refused_and_the_first_stays_as_it_was(sandbox_directory: Path) -> None:
    with command(sandbox_directory, "--imap", "pymap") as first:
        trusted = Path(announcement(first)["environment"]["MAILACCOUNTS_CA_BUNDLE"])
        before = trusted.read_bytes()
        with command(sandbox_directory, "--imap", "pymap") as second:
            _, said = second.communicate()
        assert second.returncode == 1
        assert said.startswith("A sandbox is already running in ")
        assert trusted.read_bytes() == before


def test_where_only_the_product_is_installed_the_command_says_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "trustme.py").write_text("raise ModuleNotFoundError(name='trustme')")
    done = subprocess.run(
        [*COMMAND, "--directory", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "The sandbox needs trustme. Run pip install '.[sandbox]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_says_where_everything_is_and_no_secret(sandbox_directory: Path) -> None:
    user = new_user()
    users = sandbox_directory / "users-to-be.json"
    users.write_text(json.dumps({"users": [{"address": user.address, "password": user.password}]}))

    with command(sandbox_directory / "world", "--imap", "pymap", "--users", str(users)) as process:
        told = announcement(process)

    environment = told["environment"]
    assert environment["MAILACCOUNTS_ALLOW_PRIVATE_HOSTS"] == "127.0.0.0/8,::1"
    assert environment["MICROSOFT_AUTHORITY"].startswith("https://localhost:")
    secret = Path(environment["MICROSOFT_CLIENT_SECRET_FILE"])
    assert secret.stat().st_mode & 0o077 == 0
    presets = json.loads(Path(environment["MAILACCOUNTS_PRESETS_FILE"]).read_text())["presets"]
    assert presets[0]["domains"] == ["sandbox.test"]
    assert (presets[0]["imap"], presets[0]["smtp"]) == (told["imap"], told["smtp"])
    for text in (secret.read_text(), user.password):
        assert text not in json.dumps(told)
        for log in (sandbox_directory / "world").glob("*.log"):
            assert text not in log.read_text()


def test_a_server_that_dies_ends_the_command(sandbox_directory: Path) -> None:
    with command(sandbox_directory, "--imap", "pymap") as process:
        announcement(process)
        started = descendants(process.pid)
        os.kill(min(started), signal.SIGKILL)

        assert process.wait(60) == 1
        assert process.stderr is not None
        assert "ended unexpectedly" in process.stderr.read()
        wait_until_gone(started)


def test_a_missing_dovecot_is_named_with_what_to_install(
    sandbox_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailaccounts.testing.sandbox.dovecot.SYSTEM_PATH", "")
    monkeypatch.setenv("PATH", str(sandbox_directory))

    with pytest.raises(SandboxError, match="apt-get install dovecot-core dovecot-imapd"):
        Sandbox(sandbox_directory / "world")


def test_a_users_file_that_makes_no_sense_is_refused(sandbox_directory: Path) -> None:
    users = sandbox_directory / "users.txt"
    users.write_text("anna")

    with command(sandbox_directory / "world", "--users", str(users)) as process:
        assert process.wait(60) == 1
        assert process.stderr is not None
        assert "is not a users file" in process.stderr.read()


def test_a_directory_that_can_not_be_made_is_named(sandbox_directory: Path) -> None:
    (sandbox_directory / "file").touch()

    with command(sandbox_directory / "file" / "world") as process:
        assert process.wait(60) == 1
        assert process.stderr is not None
        assert "file/world can't be made: Not a directory" in process.stderr.read()


def test_dovecot_works_below_a_directory_only_we_may_enter(sandbox_directory: Path) -> None:
    sandbox_directory.chmod(0o700)
    user = new_user()
    with Sandbox(sandbox_directory, users=[user]) as sandbox:
        with imap_connection(sandbox.imap, sandbox.ca_file) as imap:
            imap.login(user.address, user.password)
        lived = (sandbox_directory / "dovecot").resolve()

    assert user.address in (sandbox_directory / "dovecot.log").read_text()
    assert lived.is_relative_to(sandbox_directory) or not lived.exists()


def test_a_port_taken_meanwhile_is_exchanged_for_another(
    sandbox_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        ports = [somebody.getsockname()[1]]
        monkeypatch.setattr(
            "mailaccounts.testing.sandbox.dovecot.free_port", lambda: ports.pop() if ports else free_port()
        )
        user = new_user()

        with Sandbox(sandbox_directory, users=[user]) as sandbox:
            assert sandbox.imap.port != somebody.getsockname()[1]
            assert sandbox.message_ids(user.address)["INBOX"] == []


def test_a_sandbox_can_start_again_where_it_was(sandbox_directory: Path) -> None:
    user = new_user()
    for _ in range(2):
        with Sandbox(sandbox_directory, users=[user]) as sandbox:
            assert sandbox.message_ids(user.address)["INBOX"] == []


def test_the_domain_of_an_address_says_who_signs_people_in(sandbox: Sandbox) -> None:
    for domain in ("sandbox.test", "google.test", "oidc.test"):
        sandbox.add_user(new_user(domain=domain))
    extra = load_extra(str(sandbox.presets_file))

    providers = {
        domain: find(f"anna@{domain}", extra=extra) for domain in ("sandbox.test", "google.test", "oidc.test")
    }

    assert {domain: preset.provider for domain, preset in providers.items() if preset} == {
        "sandbox.test": "microsoft",
        "google.test": "google",
        "oidc.test": "oidc",
    }
