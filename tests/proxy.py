"""A man in the middle of a client and the sandbox's IMAP server: it delays, counts, and breaks connections on purpose.

``Proxy(port)`` passes bytes on as they are, so TLS stays end to end, and a turn is a flight: what the client says
after it has heard something. ``Proxy(port, certificates=...)`` ends TLS with the sandbox's own certificate, and a turn
is a command. ``in_a_process`` is for benchmarks, whose time it doesn't take.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import re
import socket
import ssl
import threading
import time
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from mailaccounts.testing.sandbox.process import listen_on_localhost, port_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from mailaccounts.testing.sandbox.ca import Certificates

CHUNK = 2**18
QUEUED = 64  # chunks on their way in one direction
COMMAND = re.compile(rb"\A[^\s*+]+ [A-Za-z]")
PATIENCE = 10  # seconds a thread or process has for beginning and for ending


class Kind(StrEnum):
    UNSENT = "cut before it is sent"
    CUT = "cut once it is sent"
    STALL = "never answered"
    CORRUPT = "answered with a bit that is wrong"
    THROTTLE = "answered at a trickle from then on"
    DELAY = "answered late"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What befalls a connection at the client's ``turn``-th turn (1 is the first): ``after`` octets of the answer come
    as they should. ``amount`` is octets per second for THROTTLE, seconds for DELAY."""

    kind: Kind
    turn: int
    after: int = 0
    amount: float = 0


@dataclass(slots=True, kw_only=True)
class Counts:
    """Since the last ``reset``; octets are TLS's where TLS is end to end. ``commands``, each with the number of its
    flight, are known where it isn't."""

    connections: int = 0
    flights: int = 0
    sent: int = 0
    received: int = 0
    commands: list[tuple[int, str]] = field(default_factory=list)


class Proxy:
    """Listens at localhost:``port`` from start to stop. ``fault`` befalls the next connection, and that one only."""

    def __init__(self, server_port: int, *, round_trip: float = 0.0, certificates: Certificates | None = None) -> None:
        self.counts = Counts()
        self.fault: Fault | None = None
        self._server_port, self._one_way, self._certificates = server_port, round_trip / 2, certificates
        self._sockets: list[socket.socket] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> Self:
        self._sockets = listen_on_localhost()
        self.port = port_of(self._sockets)
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(PATIENCE)

    def reset(self) -> None:
        self.counts = Counts()

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server_side = client_side = None
        if self._certificates:
            server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server_side.load_cert_chain(self._certificates.cert_file, self._certificates.key_file)
            client_side = ssl.create_default_context(cafile=str(self._certificates.ca_file))

        relays: set[Any] = set()

        async def connected(*client: Any) -> None:
            relays.add(asyncio.current_task())
            fault, self.fault = self.fault, None
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                server = await asyncio.open_connection(
                    "127.0.0.1",
                    self._server_port,
                    ssl=client_side,
                    server_hostname="localhost" if client_side else None,
                )
                relay = Relay(client, server, proxy=self, fault=fault, one_way=self._one_way)
                await relay.run(until=self._over, opened=client_side is not None)

        servers = [await asyncio.start_server(connected, sock=each, ssl=server_side) for each in self._sockets]
        self._ready.set()
        await self._over.wait()
        for each in servers:
            each.close()
        if relays:
            await asyncio.wait(relays, timeout=PATIENCE)


class Relay:
    """One connection: a pump for each direction."""

    def __init__(
        self, client: tuple[Any, Any], server: tuple[Any, Any], *, proxy: Proxy, fault: Fault | None, one_way: float
    ) -> None:
        self._client, self._server = client, server
        self._proxy, self._fault, self._one_way = proxy, fault, one_way
        self._turn = self._answered = 0
        self._heard = True  # the greeting: what the client says first is a turn of its own
        proxy.counts.connections += 1
        for _, writer in (client, server):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def run(self, *, until: asyncio.Event, opened: bool) -> None:
        towards_server: asyncio.Queue[Any] = asyncio.Queue(QUEUED)
        towards_client: asyncio.Queue[Any] = asyncio.Queue(QUEUED)
        work = [
            self._listen(towards_server, by_lines=opened),
            self._answer(towards_client),
            self._deliver(towards_server, self._server[1], first_late=2 * self._one_way),
            self._deliver(towards_client, self._client[1]),
            until.wait(),
        ]
        tasks = [asyncio.ensure_future(each) for each in work]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for _, writer in (self._client, self._server):
                writer.transport.abort()

    async def _listen(self, towards_server: asyncio.Queue[Any], *, by_lines: bool) -> None:
        """Until the client has gone, or is cut off."""
        while data := await (self._client[0].readline() if by_lines else self._client[0].read(CHUNK)):
            if self._heard:
                self._proxy.counts.flights += 1
            if COMMAND.match(data) if by_lines else self._heard:
                self._turn += 1
                self._answered = 0
                if by_lines:
                    said = data.decode(errors="replace").rstrip()
                    self._proxy.counts.commands.append((self._proxy.counts.flights, said))
            self._heard = False
            if self._befallen(Kind.UNSENT):
                break
            self._proxy.counts.sent += len(data)
            await towards_server.put((time.monotonic() + self._one_way, data))
        await towards_server.join()

    async def _answer(self, towards_client: asyncio.Queue[Any]) -> None:
        """Until the server has gone, or is cut off."""
        free_at = 0.0  # when a trickle has let through what came before
        while data := await self._server[0].read(CHUNK):
            self._heard = True
            self._proxy.counts.received += len(data)
            start, self._answered = self._answered, self._answered + len(data)
            fault, due = self._fault, time.monotonic() + self._one_way
            if fault and self._turn >= fault.turn and self._answered > fault.after:
                at = max(fault.after - start, 0)
                if fault.kind is Kind.CUT:
                    await towards_client.put((0, data[:at]))
                    await towards_client.put((0, b""))
                    await towards_client.join()
                    return
                if fault.kind is Kind.STALL:
                    await asyncio.Event().wait()
                if fault.kind is Kind.CORRUPT:
                    data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
                    self._fault = replace(fault, turn=2**31)
                if fault.kind is Kind.DELAY:
                    due, self._fault = due + fault.amount, replace(fault, turn=2**31)
                if fault.kind is Kind.THROTTLE:
                    due = free_at = max(due, free_at) + len(data) / fault.amount
            await towards_client.put((due, data))
        await towards_client.put((0, b""))
        await towards_client.join()

    async def _deliver(self, queue: asyncio.Queue[Any], writer: Any, *, first_late: float = 0.0) -> None:
        """``first_late``: before a client's first octet, a packet had to go there and back for the connection."""
        while True:
            due, data = await queue.get()
            await asyncio.sleep(due + first_late - time.monotonic())
            first_late = 0.0
            writer.write(data)
            await writer.drain()
            queue.task_done()

    def _befallen(self, kind: Kind) -> bool:
        return self._fault is not None and self._fault.kind is kind and self._turn >= self._fault.turn


class ProxyProcess:
    """A Proxy elsewhere: ``counts`` asks it."""

    def __init__(self, port: int, pipe: Connection) -> None:
        self.port, self._pipe = port, pipe

    def counts(self) -> Counts:
        """Since the last time."""
        self._pipe.send("counts")
        return Counts(**self._pipe.recv())


@contextlib.contextmanager
def in_a_process(
    server_port: int, *, round_trip: float, certificates: Certificates | None = None
) -> Iterator[ProxyProcess]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(theirs, server_port, round_trip, certificates), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ProxyProcess(ours.recv(), ours)
    finally:
        ours.close()
        process.join(PATIENCE)


def _run(pipe: Connection, server_port: int, round_trip: float, certificates: Certificates | None) -> None:
    with Proxy(server_port, round_trip=round_trip, certificates=certificates) as proxy, contextlib.suppress(EOFError):
        pipe.send(proxy.port)
        while pipe.recv():
            counts, _ = proxy.counts, proxy.reset()
            pipe.send(asdict(counts))
