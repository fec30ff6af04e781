"""Child processes that start fast and surely end: when told to, and when their parent is gone, however it went.

A Python child gets its task as one JSON line on standard input (so no secret is on a command line or in an
environment), answers "ready" and reads on: the end of its input is the end of its parent. Other programs are tied to
the parent by the kernel (``setpriv --pdeathsig``), which counts the *thread* that started them as the parent.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

START_SECONDS = 30
STOP_SECONDS = 10
UNPRIVILEGED = ("nobody", "nogroup")


class SandboxError(Exception):
    """The sandbox can't start; the text says what to do."""


class Child:
    """A program that runs in a process group of its own and writes to ``log``."""

    def __init__(self, name: str, command: Sequence[str], *, log: Path, ready: Callable[[], bool]) -> None:
        self.name = name
        self.command = list(command)
        self.log = log
        self._ready = ready
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def wait_ready(self) -> None:
        """Returns once the server answers; SandboxError when it ended or took too long."""
        deadline = time.monotonic() + START_SECONDS
        while not self._ready():
            self.check_alive()
            if time.monotonic() > deadline:
                raise SandboxError(f"{self.name} did not start within {START_SECONDS} s; see {self.log}")
            time.sleep(0.02)

    def check_alive(self) -> None:
        if self.process is None or self.process.poll() is not None:
            raise SandboxError(f"{self.name} ended unexpectedly; {self.log} says:\n{self._last_words()}")

    def stop(self) -> None:
        """Ends the program and everything it started; safe to call twice."""
        process, self.process = self.process, None
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


class PythonChild(Child):
    """``python -m module`` with a task and listening sockets that are already bound."""

    def __init__(
        self, name: str, module: str, *, task: Mapping[str, Any], log: Path, sockets: Sequence[socket.socket]
    ) -> None:
        super().__init__(name, [sys.executable, "-m", module], log=log, ready=self._said_ready)
        self.task = task
        self.sockets = list(sockets)

    def start(self) -> None:
        fds = [listener.fileno() for listener in self.sockets]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=fds,
                start_new_session=True,
                umask=0o077,
                env=_clean_environment(),
            )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({**self.task, "fds": fds}).encode() + b"\n")
        self.process.stdin.flush()
        for listener in self.sockets:
            listener.close()

    def stop(self) -> None:
        process = self.process
        super().stop()
        if process is not None:
            assert process.stdin is not None and process.stdout is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            process.stdout.close()

    def _said_ready(self) -> bool:
        assert self.process is not None and self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], 0.05)
        return bool(readable) and self.process.stdout.readline() == b"ready\n"


class ServedByChild:
    """A server whose work a Python child does; ``start`` of a subclass makes the child."""

    _child: PythonChild | None = None

    def wait_ready(self) -> None:
        assert self._child is not None
        self._child.wait_ready()

    def check_alive(self) -> None:
        assert self._child is not None
        self._child.check_alive()

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()
            self._child = None


def read_task() -> dict[str, Any]:
    """In a Python child: the task, with the ``sockets`` it may accept on."""
    task: dict[str, Any] = json.loads(sys.stdin.readline())
    task["sockets"] = [socket.socket(fileno=fd) for fd in task.pop("fds")]
    return task


def report_ready() -> None:
    """In a Python child: tells the parent, and from now on leaves with it."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=wait_for_the_end, daemon=True).start()


def listen_on_localhost() -> list[socket.socket]:
    """Sockets listening on one free port of 127.0.0.1 and, where there is IPv6, of ::1."""
    while True:
        first = socket.create_server(("127.0.0.1", 0), backlog=128)
        if not has_ipv6_loopback():
            return [first]
        try:
            return [first, socket.create_server(("::1", port_of([first])), family=socket.AF_INET6, backlog=128)]
        except OSError:  # somebody else's port over there
            first.close()


def free_port() -> int:
    """A port nobody listened on a moment ago, for servers that can't be handed a socket."""
    sockets = listen_on_localhost()
    port = port_of(sockets)
    for listener in sockets:
        listener.close()
    return port


def port_of(sockets: Sequence[socket.socket]) -> int:
    return int(sockets[0].getsockname()[1])


def has_ipv6_loopback() -> bool:
    if not socket.has_ipv6:
        return False
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def unprivileged() -> list[str]:
    """The start of a command that runs tied to this process and, when we are root, as nobody."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        if os.geteuid() == 0:
            raise SandboxError("Running Dovecot as root needs setpriv: apt-get install util-linux")
        return []
    command = [setpriv, "--pdeathsig=TERM"]
    if os.geteuid() == 0:
        user, group = UNPRIVILEGED
        command += [f"--reuid={user}", f"--regid={group}", "--clear-groups"]
    return [*command, "--"]


def _clean_environment() -> dict[str, str]:
    """What Python needs and nothing of what the parent's environment may hold."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
