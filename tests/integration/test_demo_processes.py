"""However the demo ends, nothing of it stays behind; and what it finds in its way it says."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crm.demo.cli import main
from crm.demo.start import free_port
from crm.demo.supervisor import Supervisor, limited
from crm.demo.world import PROJECT, DemoError, World, base_environment, python
from tests import servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 180
FOREVER = "import signal; signal.pause()"


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(tmp_path) as supervisor:
        yield supervisor


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def processes_of(directory: Path) -> list[str]:
    """The command lines of processes with ``directory`` in their command line or environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            about = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue  # ended meanwhile, or another user's
        if os.fsencode(directory) in about:
            found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


@contextmanager
def opened(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """A demo that has told its address, with a worker at work. It is killed if the test fails meanwhile: leaving it
    to end by itself would hang the run."""
    command = [sys.executable, "manage.py", "demo", "--directory", str(directory), "--port", str(servers.free_port())]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as demo:
        try:
            assert demo.stdout is not None
            said = []
            for line in demo.stdout:
                said.append(line)
                if "Ctrl-C stops everything" in line:
                    break
            else:
                raise AssertionError("".join(said))
            yield demo
        finally:
            demo.kill()


def test_ctrl_c_stops_everything(tmp_path: Path) -> None:
    world = tmp_path / "world"
    with opened(world) as demo:
        wait_until(lambda: len(processes_of(world)) >= 5)  # the worker forks a few of its own
        with pytest.raises(DemoError, match="already running"), World(world).taken():
            pass
        demo.send_signal(signal.SIGINT)
        assert demo.wait(SECONDS) == 0
        assert processes_of(world) == []


def test_a_killed_demo_takes_its_processes_along_and_leaves_room_for_the_next(tmp_path: Path) -> None:
    world = World(tmp_path / "world")
    with opened(world.directory) as demo:
        demo.kill()
        wait_until(lambda: not processes_of(world.directory))
    with world.taken():
        world.clear()
        assert sorted(path.name for path in world.directory.iterdir()) == [
            ".demo", ".gitignore", "lock", "logs", "sandbox",
        ]  # fmt: skip


def test_a_process_that_dies_ends_the_demo_with_its_last_words(supervisor: Supervisor) -> None:
    supervisor.start("Good one", python("-c", FOREVER), base_environment())
    supervisor.start("Bad one", python("-c", "raise SystemExit('no more ink')"), base_environment())
    with pytest.raises(DemoError, match=r"(?s)Bad one ended \(exit status 1\).*bad-one\.log.*no more ink"):
        supervisor.watch(on_enter=lambda: None)


def test_a_process_that_should_stay_may_not_end_well_either(supervisor: Supervisor) -> None:
    supervisor.start("Server", python("-c", ""), base_environment())
    with pytest.raises(DemoError, match="Server ended"):
        supervisor.watch(on_enter=lambda: None)


def test_a_process_that_does_not_listen_to_reason_is_killed(supervisor: Supervisor) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
    child = supervisor.start("Deaf one", python("-c", deaf), base_environment(), talks=True)
    assert supervisor.first_line(child, seconds=SECONDS) == b"ready\n"
    supervisor.stop()
    assert child.process.returncode == -signal.SIGKILL


def test_what_takes_too_long_is_given_up(supervisor: Supervisor) -> None:
    supervisor.start("Slow one", python("-c", FOREVER), base_environment())
    with pytest.raises(DemoError, match="Waiting took longer"):
        supervisor.wait_for(lambda: False, what="Waiting", seconds=0.3)
    with pytest.raises(DemoError, match="longer than 0 seconds"), limited(0.3):
        signal.pause()


def test_a_taken_port_is_passed_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert free_port(port) > port


def test_without_what_its_world_is_made_of_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("crm.demo.cli.NEEDED", ("waitress", "not_installed_here"))
    assert main(["--headless", "--directory", str(tmp_path / "demo")]) == 1
    printed = capsys.readouterr()
    assert "Run make demo, or pip install '.[sandbox]' first." in printed.err
    assert json.loads(printed.out)["story"] == "failed"
    assert not (tmp_path / "demo").exists()


def test_a_directory_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert main(["--headless", "--directory", str(tmp_path)]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_directory_that_cannot_be_made_is_said_with_what_helps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert main(["--headless", "--directory", str(tmp_path / "thesis.txt" / "world")]) == 1
    assert "can't be written to (Not a directory). Choose another with --directory." in capsys.readouterr().err


@pytest.mark.parametrize("port", ["eighty", "0", "70000"])
def test_a_port_that_is_none_is_said(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--port", port])
    assert f"'{port}' is not a port: a number from 1 to 65535" in capsys.readouterr().err


def test_commands_beside_the_demo_find_its_world_in_one_file_that_is_nobody_elses(tmp_path: Path) -> None:
    world = World(tmp_path / "a world")
    with world.taken():
        world.clear()
        expected = world.environment({"OIDC_NAME": "Sandbox ID", "SITE_URL": "http://localhost:8000"})
        world.keep_environment(expected)
    assert world.environment_file.stat().st_mode & 0o777 == 0o600
    ask = (
        "from crm.settings import *; print(SECRET_KEY, DATABASES['default']['NAME'], env.text('OIDC_NAME'), sep='\\n')"
    )
    said = subprocess.check_output(
        python("-c", ask), env={**base_environment(), "ENV_FILE": str(world.environment_file)}, cwd=PROJECT, text=True
    )
    assert said.splitlines() == [expected["SECRET_KEY"], str(world.directory / "demo.sqlite3"), "Sandbox ID"]


def test_the_settings_around_the_demo_do_not_reach_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL_FILE", "MICROSOFT_CLIENT_ID", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, "of somebody else")
    world = World(tmp_path / "world")
    with world.taken():
        world.clear()
        environment = world.environment()
    assert "of somebody else" not in environment.values()
    assert environment["DATABASE_URL"].endswith("demo.sqlite3")
