"""A connection to a server that is not trusted: every byte, line and second is counted before it is spent.

imaplib and smtplib read as much as a server cares to send, allocate whatever literal it announces, and restart their
timeout with every byte. Here a command has a budget of bytes and lines and a deadline that only real
throughput extends, and the whole session has one that nothing extends.
"""

from __future__ import annotations

import contextlib
import ssl
import time
from typing import TYPE_CHECKING

from mailaccounts.errors import BudgetExceeded, ConnectionLost, ConnectionTimedOut, ProtocolFault
from mailaccounts.mail.network import network_error

if TYPE_CHECKING:
    import socket

    from mailaccounts.mail.network import Network
    from mailaccounts.mail.types import Endpoint, Limits, Traffic

CHUNK = 65_536


class Wire:
    """A socket with budgets. ``begin`` starts those of the next command; whatever goes wrong closes the connection."""

    def __init__(self, connection: socket.socket, endpoint: Endpoint, *, limits: Limits, traffic: Traffic) -> None:
        self._socket = connection
        self._endpoint = endpoint
        self._limits = limits
        self._traffic = traffic
        self._session_ends = time.monotonic() + limits.session_seconds
        self._buffer = b""
        self._position = 0
        self.closed = False
        self._note_certificate()
        self.begin()

    def begin(self, *, seconds: float | None = None, line_bytes: int | None = None, lines: int | None = None) -> None:
        """Starts the budgets of a command: ``seconds`` until its deadline, ``line_bytes`` its longest line."""
        self._started = time.monotonic()
        self._seconds = self._limits.read_seconds if seconds is None else seconds
        self._line_bytes = line_bytes or self._limits.line_bytes
        self._most_lines = lines or self._limits.untagged_lines
        self._received = len(self._buffer) - self._position
        self._lines = 0

    def readline(self, size: int = -1) -> bytes:
        """Reads up to and including LF. ``size`` is there for smtplib; our own limit is what counts."""
        start = self._position
        end = self._buffer.find(b"\n", start) + 1
        if end:
            self._position = end
            line = self._buffer[start:end]
        else:
            line = self._gather_line()
        self._lines += 1
        if len(line) > self._line_bytes or self._lines > self._most_lines:
            raise self._give_up(BudgetExceeded(host=self._endpoint.host))
        return line

    def _gather_line(self) -> bytes:
        """A line that isn't received yet."""
        pieces: list[bytes] = []
        length = end = 0
        while not end:
            piece = self._buffer[self._position :]
            pieces.append(piece)
            length += len(piece)
            if length > self._line_bytes:
                raise self._give_up(BudgetExceeded(host=self._endpoint.host))
            self._fill()
            end = self._buffer.find(b"\n") + 1
        self._position = end
        return b"".join((*pieces, self._buffer[:end]))

    def read(self, size: int) -> bytes:
        """Reads exactly ``size`` bytes, a literal; refused unread when it is more than the budgets have left."""
        start = self._position
        piece = self._buffer[start : start + size]
        self._position = start + len(piece)
        missing = size - len(piece)
        if missing == 0:
            return piece
        if size > self._limits.literal_bytes or self._received + missing > self._limits.command_bytes:
            raise self._give_up(BudgetExceeded(host=self._endpoint.host))
        pieces = [piece]
        while missing:
            self._fill()
            piece = self._buffer[:missing]
            self._position = len(piece)
            missing -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def _fill(self) -> None:
        """Replaces the spent buffer by what the server sends next."""
        try:
            self._socket.settimeout(self._remaining())
            self._buffer = self._socket.recv(CHUNK)
        except (OSError, ValueError) as error:
            raise self._give_up(error) from None
        self._position = 0
        self._received += len(self._buffer)
        self._traffic.bytes_received += len(self._buffer)
        if not self._buffer:
            raise self._give_up(ConnectionLost(host=self._endpoint.host))
        if self._received > self._limits.command_bytes:
            raise self._give_up(BudgetExceeded(host=self._endpoint.host))

    def sendall(self, data: bytes) -> None:
        """Sends ``data``, within the deadline of the command."""
        try:
            self._socket.settimeout(self._remaining())
            self._socket.sendall(data)
        except (OSError, ValueError) as error:
            raise self._give_up(error) from None

    def _remaining(self) -> float:
        earned = self._received / self._limits.slowest_bytes_per_second
        remaining = min(self._started + self._seconds + earned, self._session_ends) - time.monotonic()
        if remaining <= 0:
            raise self._give_up(ConnectionTimedOut(host=self._endpoint.host))
        return remaining

    def start_tls(self, network: Network) -> None:
        """Goes on in TLS. Text that came before could be anybody's, so the connection is given up (RFC 9051 §11.1)."""
        if self._position < len(self._buffer):
            raise self._give_up(ProtocolFault(host=self._endpoint.host))
        self._socket = network.secure(self._socket, self._endpoint, time.monotonic() + self._remaining())
        self._note_certificate()
        self.begin()

    def _note_certificate(self) -> None:
        """Until when the server's certificate is good, once there is one, which was verified by then."""
        if isinstance(self._socket, ssl.SSLSocket):
            ends = (self._socket.getpeercert() or {}).get("notAfter")
            self._traffic.certificate_ends = ssl.cert_time_to_seconds(str(ends)) if ends else None

    def _give_up(self, error: Exception) -> Exception:
        self.close()
        if isinstance(error, ssl.SSLError):  # TLS stood already: a record got damaged or cut off on its way
            return ConnectionLost(host=self._endpoint.host)
        if isinstance(error, OSError | ValueError):
            return network_error(error, host=self._endpoint.host, port=self._endpoint.port)
        return error

    def makefile(self, mode: str = "rb") -> Wire:
        """smtplib reads from what its socket makes: this is that as well."""
        return self

    def detach(self) -> tuple[socket.socket, bytes]:
        """Gives the socket away, and what was read from it but not used; for the wire it is closed."""
        self.closed = self._traffic.handed_over = True
        return self._socket, self._buffer[self._position :]

    def close(self) -> None:
        """Closes the connection at once; harmless when it is closed already."""
        self.closed = True
        if self._traffic.meter is not None:
            self._traffic.meter.close(self._traffic)
        self._buffer, self._position = b"", 0
        with contextlib.suppress(OSError):
            self._socket.close()
