"""A server that has said all it will say before it is asked."""

from __future__ import annotations

import io
import time

from mailaccounts.mail.imap_pipeline import Pipeline
from mailaccounts.mail.types import Endpoint, Limits, Security, Traffic
from mailaccounts.mail.wire import Wire


class Recorded:
    """Plays back ``lines`` to a pipeline; ``sent`` is what that sent, ``traffic`` what it cost.

    Each piece is received by itself, of a single octet if ``drip``.
    """

    def __init__(self, *pieces: bytes, drip: bool = False, limits: Limits | None = None) -> None:
        self._stream = io.BytesIO(b"".join(pieces))
        self._drip = drip
        self.sent = b""
        self.traffic = Traffic()
        endpoint = Endpoint(protocol="imap", host="mail.test", port=993, security=Security.TLS)
        limits = limits or Limits()
        self.wire = Wire(self, endpoint, limits=limits, traffic=self.traffic)  # type: ignore[arg-type]  # as a socket
        self.pipeline = Pipeline(self.wire, host="mail.test", limits=limits, traffic=self.traffic)

    def recv(self, size: int) -> bytes:
        return self._stream.read(1 if self._drip else size)

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0

    def close(self) -> None:
        self.closed_at = time.monotonic()
