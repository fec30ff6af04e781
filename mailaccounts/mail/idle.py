"""A connection that waits for news: IDLE (RFC 2177) as a small state machine over a bare non-blocking socket.

A process keeps thousands of them, so that one is little more than its socket: what a session keeps for its commands is
dropped once it has signed in and opened its folder. The server isn't trusted: what it sends between two renewals, and
in one line, is bounded.
"""

from __future__ import annotations

import contextlib
import random
import re
import socket
import ssl
from enum import Enum, auto
from typing import TYPE_CHECKING

from mailaccounts.errors import BudgetExceeded, ConnectionLost, ConnectionTimedOut, IdleMissing, ProtocolFault
from mailaccounts.mail.network import network_error
from mailaccounts.mail.responses import Condition, Status, bye_error
from mailaccounts.mail.types import Traffic

if TYPE_CHECKING:
    from mailaccounts.mail.imap import ImapSession
    from mailaccounts.mail.types import FolderState, Meter

LONGEST_RENEWAL = 29 * 60  # seconds: servers may log out whoever says nothing for thirty minutes (RFC 2177)
ANSWER_SECONDS = 30.0  # that a server has for answering IDLE and DONE
LINE_BYTES = 8192
BYTES_PER_RENEWAL = 2**20  # flags of twenty thousand messages that somebody changes at once
RECORD = 16_384  # octets of a TLS record: reading as many leaves nothing behind that a selector wouldn't see

KEEPALIVE = {"TCP_KEEPIDLE": 120, "TCP_KEEPINTVL": 30, "TCP_KEEPCNT": 3}  # a peer that is gone is noticed in minutes

NEWS = re.compile(rb"\* (?:(\d{1,10}) (EXISTS|EXPUNGE|FETCH)\b|VANISHED\b)", re.IGNORECASE)


class State(Enum):
    """Where the conversation is."""

    ASKED = auto()  # IDLE was sent
    IDLE = auto()  # the server said "+" and tells what happens
    ENDING = auto()  # DONE was sent


class Idle:
    """One open folder, watched. ``due`` is when ``turn`` wants to be called, ``planned`` when whoever keeps it means
    to; instants are of time.monotonic().

    Every method but ``close`` raises errors of ``mailaccounts.errors``, after which the connection is of no use.
    """

    __slots__ = (
        "_exists",
        "_host",
        "_left",
        "_number",
        "_renewal",
        "_rest",
        "_state",
        "_traffic",
        "due",
        "planned",
        "socket",
    )

    def __init__(
        self,
        connection: socket.socket,
        *,
        host: str,
        exists: int,
        renewal: float,
        now: float,
        rest: bytes = b"",
        traffic: Traffic | None = None,
    ) -> None:
        """``connection`` has a folder of ``exists`` messages open; ``rest`` was read from it already. ``renewal``
        is how many seconds one IDLE lasts, give or take a tenth so that those begun together don't end together."""
        self.socket, self._host, self._exists, self._rest = connection, host, exists, rest
        self._traffic = traffic or Traffic()
        self._renewal = min(renewal * random.uniform(0.9, 1.1), LONGEST_RENEWAL)  # noqa: S311 - spreads load
        self._number, self._state, self.planned = 0, State.ASKED, 0.0
        connection.setblocking(False)
        with contextlib.suppress(OSError):  # a connection that is gone is found out when it is used
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in KEEPALIVE.items():
                if hasattr(socket, name):
                    connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        self._ask(now)

    @classmethod
    def take_over(cls, session: ImapSession, folder: FolderState, *, host: str, renewal: float, now: float) -> Idle:
        """Goes on with the connection of ``session``, which has ``folder`` open; IdleMissing without IDLE."""
        if "IDLE" not in session.capabilities:
            raise IdleMissing(host=host)
        connection, rest = session.hand_over()
        return cls(
            connection, host=host, exists=folder.exists, renewal=renewal, now=now, rest=rest, traffic=session.traffic
        )

    @property
    def meter(self) -> Meter | None:
        """What holds its place at the server."""
        return self._traffic.meter

    def read(self, now: float) -> bool:
        """Takes in what came, at most a TLS record; whether something changed in the folder."""
        try:
            data = self.socket.recv(RECORD)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except (OSError, ValueError) as error:
            raise self._lost(error) from None
        if not data:
            raise ConnectionLost(host=self._host)
        self._left -= len(data)
        if self._left < 0:
            raise BudgetExceeded(host=self._host)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LINE_BYTES:
            raise BudgetExceeded(host=self._host)
        changes = [self._hear(line, now) for line in lines]
        return any(changes)

    def turn(self, now: float) -> None:
        """Renews an IDLE whose time is over; ConnectionTimedOut where an answer is overdue."""
        if self._state is not State.IDLE:
            raise ConnectionTimedOut(host=self._host)
        self._send(b"DONE\r\n")
        self._state, self.due = State.ENDING, now + ANSWER_SECONDS

    def close(self, *, politely: bool = False) -> None:
        """Drops the connection, saying goodbye if that doesn't take any waiting; never raises."""
        with contextlib.suppress(OSError, ValueError):
            if politely:
                self.socket.send((b"DONE\r\n" if self._state is State.IDLE else b"") + b"BYE LOGOUT\r\n")
        with contextlib.suppress(OSError):
            self.socket.close()
        if self._traffic.meter is not None:
            self._traffic.meter.close(self._traffic)

    def _ask(self, now: float) -> None:
        self._number += 1
        self._left = BYTES_PER_RENEWAL
        self._state, self.due = State.ASKED, now + ANSWER_SECONDS
        self._traffic.command()
        self._send(b"I%d IDLE\r\n" % self._number)

    def _hear(self, line: bytes, now: float) -> bool:
        """One line of the server's; whether it tells of a change."""
        if line.startswith(b"* "):
            return self._told(line)
        if line.startswith(b"+"):
            if self._state is State.ASKED:
                self._state, self.due = State.IDLE, now + self._renewal
            return False
        tag, _, answer = line.partition(b" ")
        if tag != b"I%d" % self._number:
            raise ProtocolFault(host=self._host)
        if self._state is State.ENDING and answer.upper().startswith(b"OK"):
            self._ask(now)
        elif self._state is State.ASKED:
            raise IdleMissing(host=self._host)  # what it announced notwithstanding
        else:
            raise ConnectionLost(host=self._host)  # an IDLE that the server ended
        return False

    def _told(self, line: bytes) -> bool:
        if line[2:6].upper() == b"BYE ":
            raise bye_error(Status.parse(Condition.BYE, line[6:]), host=self._host)
        news = NEWS.match(line)
        if news is None:
            return False  # "* OK Still here", and whatever else is no news
        if news[2] is None:
            self._exists = -1  # VANISHED: how many are left the next EXISTS tells
        elif news[2].upper() == b"EXPUNGE":
            self._exists -= 1
        elif news[2].upper() == b"EXISTS":
            before, self._exists = self._exists, int(news[1])
            return before != self._exists  # some servers repeat it at each IDLE
        return True

    def _send(self, data: bytes) -> None:
        """A few octets fit into the buffer of any connection whose other end still reads."""
        try:
            sent = self.socket.send(data)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            sent = 0
        except (OSError, ValueError) as error:
            raise self._lost(error) from None
        if sent < len(data):
            raise ConnectionTimedOut(host=self._host)

    def _lost(self, error: Exception) -> Exception:
        return network_error(error, host=self._host, port=0)
