"""Keeps the demo's processes: starts them, notices when one dies, stops them all."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from crm.demo.world import PROJECT, DemoError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

STOP_SECONDS = 6.0
LOOK_SECONDS = 0.2
LAST_LINES = 12


@dataclass(slots=True)
class Child:
    """A process in a group of its own. Its standard input stays open for as long as the demo lives.

    ``once``: it does something and ends; the others stay.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    once: bool = False

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def failed(self) -> bool:
        status = self.process.poll()
        return status is not None and (status != 0 or not self.once)

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-LAST_LINES:]
        return "\n".join(f"    {line}" for line in lines)

    def obituary(self) -> str:
        return f"{self.name} ended (exit status {self.process.poll()}). Its log is {self.log}:\n{self.last_words()}"


@dataclass(slots=True)
class Supervisor:
    """``with Supervisor(logs) as supervisor:``: what was started is gone afterwards."""

    logs: Path
    children: list[Child] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        once: bool = False,
        output: Path | None = None,
        talks: bool = False,
    ) -> Child:
        """Starts a process; what it prints goes to its log, or to ``output``, or if it ``talks`` to us."""
        log = self.logs / f"{name.lower().replace(' ', '-')}.log"
        with log.open("ab") as errors, (output or log).open("ab") as printed:
            process = subprocess.Popen(  # noqa: S603 - commands of our own, without a shell
                command,
                env=dict(environment),
                cwd=PROJECT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if talks else printed,
                stderr=errors,
                start_new_session=True,
            )
        child = Child(name, process, log, once)
        self.children.append(child)
        return child

    def finish(self, child: Child, *, seconds: float) -> None:
        """Waits for a process that ends by itself; DemoError unless it ended well."""
        self.wait_for(lambda: not child.running, what=child.name, seconds=seconds)
        self.check()
        self.children.remove(child)
        self._end(child)

    def check(self) -> None:
        """DemoError once one of the processes is no more, unless it did what it was for."""
        for child in self.children:
            if child.failed:
                raise DemoError(child.obituary())

    def watch(self, *, on_enter: Callable[[], None]) -> None:
        """Stays until a process dies (DemoError) or the person or the system ends the demo (Stopped).

        At a terminal, ``on_enter`` is called whenever the person presses Enter.
        """
        with selectors.DefaultSelector() as selector:
            if sys.stdin.isatty():
                selector.register(sys.stdin, selectors.EVENT_READ)
            while True:
                self.check()
                if selector.select(LOOK_SECONDS):
                    sys.stdin.readline()
                    on_enter()

    def wait_for(self, ready: Callable[[], bool], *, what: str, seconds: float) -> None:
        """Returns once ``ready``; DemoError when a process dies over it or ``seconds`` pass."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise DemoError(f"{what} took longer than {seconds:.0f} seconds. The logs are in {self.logs}.")
            time.sleep(LOOK_SECONDS / 4)

    def first_line(self, child: Child, *, seconds: float) -> bytes:
        """The line a child prints when it is ready."""
        if child.process.stdout is None:
            raise ValueError(f"{child.name} doesn't talk")
        with selectors.DefaultSelector() as selector:
            selector.register(child.process.stdout, selectors.EVENT_READ)
            self.wait_for(lambda: bool(selector.select(0)), what=f"Starting {child.name.lower()}", seconds=seconds)
        line = child.process.stdout.readline()
        if not line:
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(STOP_SECONDS)
            raise DemoError(child.obituary())
        return line

    def stop(self) -> None:
        """Ends every process and all it started, the last one first; returns when they are gone."""
        with _deaf():
            for child in reversed(self.children):
                self._end(child)
            self.children.clear()

    def _end(self, child: Child) -> None:
        process = child.process
        if process.stdin is not None:
            with suppress(BrokenPipeError):
                process.stdin.close()
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


class Stopped(BaseException):
    """Ctrl-C, SIGTERM or a closed terminal; not an error."""


ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def _deaf() -> Iterator[None]:
    """While things are being stopped, another Ctrl-C must not leave half of them running."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def limited(seconds: float | None) -> Iterator[None]:
    """Interrupts what is done inside with DemoError after so many seconds; None lets it take its time."""

    def give_up(number: int, frame: object) -> None:
        raise DemoError(f"It took longer than {seconds:.0f} seconds.")

    if seconds is None:
        yield
        return
    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def stop_on_signals() -> None:
    """From now on Ctrl-C, SIGTERM and SIGHUP raise Stopped in the main thread."""

    def stop(number: int, frame: object) -> None:
        raise Stopped

    for number in ENDING:
        signal.signal(number, stop)
