"""``python -m mailaccounts.testing.sandbox``: a sandbox for other processes.

Prints one JSON line when everything answers, runs until its standard input ends or SIGTERM or Ctrl-C comes, and takes
its servers along. Exit status 1, with a sentence on standard error, when it can't start or a server ended by itself.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mailaccounts.testing.sandbox import Sandbox, SandboxError, SandboxUser
from mailaccounts.testing.sandbox.users import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "_CLIENT_SECRET"


def main() -> int:
    options = parse_arguments()
    told_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told_to_stop.set())
    try:
        users = read_users(options.users)
        with (
            taken(options.directory),
            Sandbox(
                options.directory, imap=options.imap, users=users, redirect_uris=options.redirect_uri or ()
            ) as sandbox,
        ):
            sys.stdout.write(json.dumps(announcement(sandbox)) + "\n")
            sys.stdout.flush()
            threading.Thread(target=wait_for_end_of_input, args=(told_to_stop,), daemon=True).start()
            while not told_to_stop.wait(1):
                sandbox.check_alive()
    except SandboxError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mailaccounts.testing.sandbox", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="where everything is kept and logged")
    parser.add_argument("--imap", choices=("dovecot", "pymap"), default="dovecot", help="the IMAP server")
    parser.add_argument("--users", type=Path, help='JSON: {"users": [{"address": …, "password": …}, …]}')
    parser.add_argument(
        "--redirect-uri", action="append", help="the CRM's callback, instead of any port of localhost; may be repeated"
    )
    return parser.parse_args()


@contextmanager
def taken(directory: Path) -> Iterator[None]:
    """Holds the directory for this process: another's certificates would end the trust in those of one that runs."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / "lock").open("w")
    except OSError as error:
        raise SandboxError(f"{directory} can't be made: {error.strerror}") from None
    with file as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SandboxError(
                f"A sandbox is already running in {directory}. Stop it, or give this one a directory of its own."
            ) from None
        yield


def read_users(path: Path | None) -> list[SandboxUser]:
    if path is None:
        return []
    try:
        return [SandboxUser.read(user) for user in json.loads(path.read_text())["users"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise SandboxError(f'{path} is not a users file: {{"users": [{{"address": …, "password": …}}]}}') from None


def announcement(sandbox: Sandbox) -> dict[str, object]:
    """What other processes need; each client secret as the name of a file, since this is printed."""
    environment = sandbox.environment()
    for name in [name for name in environment if name.endswith(SECRET)]:
        secret_file = sandbox.directory / name.lower()
        replace_file(secret_file, environment.pop(name))
        environment[f"{name}_FILE"] = str(secret_file)
    return {
        "environment": environment,
        "imap": sandbox.imap.url,
        "imap_starttls": sandbox.imap_starttls.url,
        "smtp": sandbox.smtp.url,
        "smtp_starttls": sandbox.smtp_starttls.url,
    }


def wait_for_end_of_input(event: threading.Event) -> None:
    sys.stdin.read()
    event.set()


if __name__ == "__main__":
    sys.exit(main())
