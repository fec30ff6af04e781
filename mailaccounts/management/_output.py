"""What our commands have in common: a table for people, one JSON object per line for programs, exit status 0, 1, 2."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError

from mailaccounts.errors import InvalidInput
from mailaccounts.services.running import ready

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from django.core.management.base import CommandParser

    from mailaccounts.errors import MailAccountsError

FAILED = 1
USAGE = 2
INTERRUPTED = 130  # as shells have it: 128 and the signal's number
TERMINATED = 143


def usage_error(message: str) -> CommandError:
    """The command was called in a way that can't work; exit status 2, as argparse has it. Not a class of its own:
    Django prints the name of the class before the sentence."""
    return CommandError(message, returncode=USAGE)


class Terminated(KeyboardInterrupt):
    """SIGTERM has come: whoever holds an account lets go of it on the way out, as for Ctrl-C."""


class OutputCommand(BaseCommand):
    """A command with ``--json``: results go to stdout, everything said along the way to stderr."""

    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object per line")

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Ends in a sentence for Ctrl-C, for SIGTERM and without a database that is migrated; and silently when nobody
        reads on: ``… --json | head -1``."""
        try:
            try:
                with _terminable():
                    return super().execute(*args, **options)
            finally:
                self.stdout.flush()
        except Terminated:
            self.progress("")
            raise CommandError("Terminated.", returncode=TERMINATED) from None
        except KeyboardInterrupt:
            self.progress("")
            raise CommandError("Interrupted.", returncode=INTERRUPTED) from None
        except (DatabaseError, InterfaceError):
            if wrong := ready.foundation():
                raise CommandError(wrong, returncode=FAILED) from None
            raise
        except BrokenPipeError:
            # What is still in the buffer has to go somewhere when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(FAILED)

    def emit(self, value: Mapping[str, Any]) -> None:
        """Prints one JSON object on a line of its own."""
        self.stdout.write(json.dumps(value, ensure_ascii=False))

    def fail(self, error: MailAccountsError, *, as_json: bool = False) -> NoReturn:
        """Ends the command with what the error says: status 2 for input that can't be used, else 1."""
        if as_json:
            self.emit({"error": error.as_json()})
        raise CommandError(error.message, returncode=USAGE if isinstance(error, InvalidInput) else FAILED)

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Prints ``rows`` under ``heads`` in columns as wide as their longest cell."""
        cells = [[_printable(cell) for cell in row] for row in (heads, *rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for row in cells:
            self.stdout.write("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())

    def progress(self, text: str) -> None:
        """Shows ``text`` in place on a terminal's stderr; silent elsewhere. What is logged next is written over it."""
        if self.stderr.isatty():
            self.stderr.write(f"\r\x1b[2K{_printable(text)}\r", style_func=str, ending="")
            self.stderr.flush()


@contextmanager
def _terminable() -> Iterator[None]:
    """Raises Terminated for SIGTERM, unless the process has another use for it; only the main thread gets signals."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return

    def terminate(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise Terminated

    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _printable(cell: object) -> str:
    """Without control characters: a folder or subject must not steer the terminal."""
    return "".join(char if char.isprintable() else " " for char in str(cell))
