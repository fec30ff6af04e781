"""watch_mailboxes: push. Keeps a connection to every mailbox it can, and has one synced as soon as it changes."""

from __future__ import annotations

import logging
import resource
import signal
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mailaccounts.conf import settings
from mailaccounts.management._output import OutputCommand
from mailaccounts.services.running import ready
from mailaccounts.services.watching.watch import Watcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailaccounts.services.watching.watch_report import WatchStatus

logger = logging.getLogger(__name__)

OTHER_FILES = 100  # that the process needs beside the connections


class Command(OutputCommand):
    help = "Watches mailboxes by IMAP IDLE, until it is stopped, and queues a sync when something changes in one."

    def handle(self, **options: Any) -> None:
        def show(status: WatchStatus) -> None:
            if options["json"]:
                self.emit(asdict(status))
                self.stdout.flush()
            else:
                self.progress(_sentence(status))

        if wrong := ready.foundation():
            logger.error("%s The watcher waits for that.", wrong)
        watcher = Watcher(most=min(settings.watch_connections, _files() - OTHER_FILES), show=show)
        with _stopping(watcher):
            watcher.run()
        self.progress("")


def _sentence(status: WatchStatus) -> str:
    return (
        f"{status.watched} watched, {status.waiting} waiting, {status.changes} changes, {status.syncs} syncs, "
        f"{status.lost} connections lost, {status.failed} sign-ins failed"
    )


def _files() -> int:
    """How many files this process may have open, once that is as many as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else settings.watch_connections + OTHER_FILES


@contextmanager
def _stopping(watcher: Watcher) -> Iterator[None]:
    """SIGTERM and Ctrl-C end the work, and are not an error; a second one ends the process at once."""
    before: dict[int, Any] = {}

    def stop(number: int, frame: object) -> None:
        watcher.stop()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler or signal.SIG_DFL)
