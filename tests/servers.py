"""A PostgreSQL and a Redis of the test run's own: started before Django loads, gone when the run ends.

pytest loads this as a plugin (``-p tests.servers``) ahead of pytest-django. ``TEST_DATABASE_URL`` and
``TEST_REDIS_URL`` name servers to use instead. Under xdist only the controller starts servers; workers inherit its
environment.
"""

from __future__ import annotations

import atexit
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

START_SECONDS = 60
STOP_SECONDS = 15


class Server:
    """A child process with a directory of its own. As root it runs as somebody without rights: PostgreSQL refuses
    root. Linux ends the child with the run even if the run is killed."""

    stop_signal = crash_signal = signal.SIGTERM

    def __init__(self) -> None:
        self.port = free_port()
        self.password = secrets.token_hex(16)
        self.directory = Path(tempfile.mkdtemp(prefix=f"mailaccounts-{type(self).__name__.lower()}-"))
        self.user = unprivileged_user()
        if self.user:
            shutil.chown(self.directory, self.user)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def ready(self) -> bool:
        raise NotImplementedError

    def start(self) -> str:
        """Starts the server, for the first time or after a crash, and gives its URL once it answers."""
        atexit.register(self.stop)
        with (self.directory / "log").open("wb") as log:
            self.process = subprocess.Popen(
                self._as_user(self.command(), tied=True),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for pytest, which then stops us
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                log_text = (self.directory / "log").read_text(errors="replace")
                self.stop()
                raise pytest.UsageError(f"{type(self).__name__} did not start:\n{log_text}")
            time.sleep(0.05)
        return self.url

    def crash(self) -> None:
        """The server is gone without a goodbye; what it wrote stays."""
        assert self.process is not None
        self.process.send_signal(self.crash_signal)
        self.process.wait(STOP_SECONDS)

    def freeze(self) -> None:
        """The server stands still: whoever connects hears nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stops the server and removes what it wrote; safe to call twice."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
        atexit.unregister(self.stop)

    def run(self, *command: str) -> None:
        subprocess.run(
            self._as_user(list(command)), cwd=self.directory, check=True, capture_output=True, timeout=START_SECONDS
        )

    def _as_user(self, command: list[str], *, tied: bool = False) -> list[str]:
        setpriv = shutil.which("setpriv")
        options = []
        if tied:
            options.append(f"--pdeathsig={signal.Signals(self.stop_signal).name.removeprefix('SIG')}")
        if self.user:
            account = pwd.getpwnam(self.user)
            options += [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
        if not options or not (setpriv or self.user):
            return command
        return [setpriv or "setpriv", *options, *command]


class PostgreSQL(Server):
    """Throw-away: nothing is flushed to disk."""

    stop_signal = signal.SIGINT  # PostgreSQL's fast shutdown, which doesn't wait for clients to leave
    crash_signal = signal.SIGQUIT  # its immediate one: it recovers from its log at the next start

    @property
    def url(self) -> str:
        return f"postgres://postgres:{self.password}@127.0.0.1:{self.port}/mailaccounts"

    def command(self) -> list[str]:
        data = self.directory / "data"
        if not data.exists():
            self._initialise(data)
        off = [part for name in ("fsync", "synchronous_commit", "full_page_writes") for part in ("-c", f"{name}=off")]
        return [
            postgres_program("postgres"), "-D", str(data), "-p", str(self.port), "-k", str(self.directory), *off,
            "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200",
        ]  # fmt: skip

    def _initialise(self, data: Path) -> None:
        password_file = self.directory / "password"
        password_file.write_text(self.password)
        if self.user:
            shutil.chown(password_file, self.user)
        self.run(
            postgres_program("initdb"), "--pgdata", str(data), "--username=postgres", f"--pwfile={password_file}",
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions",
        )  # fmt: skip

    def ready(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url.replace("/mailaccounts", "/postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


class Redis(Server):
    """Keeps nothing on disk. Each xdist worker takes a database of its own, by number."""

    crash_signal = signal.SIGKILL

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        return [
            program("redis-server"), "--port", str(self.port), "--bind", "127.0.0.1", "--requirepass", self.password,
            "--save", "", "--appendonly", "no", "--dir", str(self.directory), "--databases", "64",
        ]  # fmt: skip

    def ready(self) -> bool:
        import redis

        try:
            return bool(redis.Redis.from_url(self.url).ping())
        except redis.exceptions.ConnectionError:
            return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def unprivileged_user() -> str:
    """Whom a server runs as when the tests run as root; "" when they don't."""
    if os.geteuid() != 0:
        return ""
    known = {each.pw_name for each in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def postgres_program(name: str) -> str:
    """PATH first, then where Debian puts it, newest version first."""
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    return shutil.which(name) or (str(versions[-1]) if versions else program(name))


def program(name: str) -> str:
    found = shutil.which(name)
    if not found:
        raise pytest.UsageError(f"{name} is not installed; `make test` installs what the tests need")
    return found


SERVERS = {"TEST_DATABASE_URL": PostgreSQL, "TEST_REDIS_URL": Redis}
_running: list[Server] = []


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Before pytest-django reads the settings."""
    for name, kind in SERVERS.items():
        if not os.environ.get(name):
            server = kind()
            _running.append(server)
            os.environ[name] = server.start()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    while _running:
        _running.pop().stop()
