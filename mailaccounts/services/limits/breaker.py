"""A circuit breaker for each server: an outage costs one attempt now and then, and not one for each account.

After BREAKER_FAILURES failures in a row, of whichever accounts, nobody is let through but one at a time, who looks
whether the server is back; pauses between them grow up to five minutes. The first who gets an answer closes the
circuit for all. The cache remembers, so that workers have to share one for that.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mailaccounts.conf import settings
from mailaccounts.errors import HostNotAllowed, NetworkError, PortNotAllowed, ServerDown
from mailaccounts.services.limits import shared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailaccounts.errors import MailAccountsError

FIRST_PAUSE, LONGEST_PAUSE = 30.0, 300.0  # seconds between two who look
PROBE_SECONDS = 120.0  # that one who looks may take; should they be lost, the next one may
FORGET_SECONDS = 3600  # failures older than that were another outage
OPEN_SECONDS = 24 * 3600  # a circuit that nobody asked for so long is closed
UNASKED = (HostNotAllowed, PortNotAllowed)  # refused by ourselves

logger = logging.getLogger(__name__)


@contextmanager
def guard(
    server: str,
    *,
    host: str,
    insist: bool = False,
    outages: tuple[type[MailAccountsError], ...] = (NetworkError,),
    answers: tuple[type[MailAccountsError], ...] = (),
) -> Iterator[None]:
    """Asks ``server``, a URL, for an answer: whatever is raised other than one of ``outages`` is one, and so are those
    of them that are ``answers``.

    ServerDown while the circuit is open; who ``insists``, for somebody is waiting, is let through all the same.
    """
    circuit = _Circuit(server, host)
    circuit.enter(insist=insist)
    try:
        yield
    except UNASKED:
        raise
    except Exception as error:
        if isinstance(error, outages) and not isinstance(error, answers):
            circuit.failed(getattr(error, "retry_after", None))
        else:
            circuit.answered()
        raise
    else:
        circuit.answered()
    finally:
        circuit.leave()


class _Circuit:
    """One who wants through. ``_tries`` is how many have looked in vain since the circuit opened; 0: it is closed."""

    def __init__(self, server: str, host: str) -> None:
        self._host = host
        key = f"mailaccounts:breaker:{server.lower()}"
        self._failures, self._open, self._probe = f"{key}:failures", f"{key}:open", f"{key}:probe"
        self._probing = False

    def enter(self, *, insist: bool) -> None:
        known = shared.get_many([self._failures, self._open])
        self._troubled = bool(known)
        self._tries, until = known.get(self._open, (0, 0.0))
        if not self._tries:
            return
        wait = until - time.time()
        self._probing = wait <= 0 and shared.add(self._probe, 1, PROBE_SECONDS)
        if not (self._probing or insist):
            raise ServerDown(host=self._host, retry_after=max(wait, FIRST_PAUSE))

    def leave(self) -> None:
        if self._probing:
            shared.forget(self._probe)

    def answered(self) -> None:
        if self._troubled:
            shared.forget(self._failures, self._open)
        if self._tries:
            logger.info("%s answers again", self._host)

    def failed(self, retry_after: float | None) -> None:
        if self._tries:
            pause = max(min(FIRST_PAUSE * 2**self._tries, LONGEST_PAUSE), retry_after or 0.0)
            shared.put(self._open, (self._tries + 1, time.time() + pause), OPEN_SECONDS)
        elif shared.count(self._failures, seconds=FORGET_SECONDS) >= settings.breaker_failures:
            pause = max(FIRST_PAUSE, retry_after or 0.0)
            if shared.add(self._open, (1, time.time() + pause), OPEN_SECONDS):
                logger.warning("%s doesn't answer: it is left alone, but for one sign-in at a time", self._host)
