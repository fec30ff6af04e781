"""Connections to addresses that were judged: a provider's name is looked up once, and TLS still verifies the name."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any, Protocol

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPSConnection

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

CONNECT_SECONDS = 5.0  # for looking the name up and connecting to one of its addresses


class Resolve(Protocol):
    """Gives the addresses behind a name, as getaddrinfo does, or raises; the host policy's way in."""

    def __call__(self, host: str, port: int, *, deadline: float) -> Sequence[tuple[Any, ...]]:
        """``deadline`` is an instant of time.monotonic()."""


def look_up(host: str, port: int, *, deadline: float) -> Sequence[tuple[Any, ...]]:
    """Whatever DNS says, for programs without a host policy."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


class TrustingAdapter(HTTPAdapter):
    """TLS with ``context``, to the addresses that ``resolve`` gives."""

    def __init__(self, context: ssl.SSLContext, resolve: Resolve) -> None:
        self._context, self._resolve = context, resolve
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)
        connection = type("Connection", (_PinnedConnection,), {"resolve": staticmethod(self._resolve)})
        pool = type("Pool", (HTTPSConnectionPool,), {"ConnectionCls": connection})
        self.poolmanager.pool_classes_by_scheme = {"https": pool}


class NoPlainText(HTTPAdapter):
    """A token or a client secret never travels unencrypted."""

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        raise requests.exceptions.InvalidSchema("https only")


class _PinnedConnection(HTTPSConnection):
    resolve: Callable[..., Sequence[tuple[Any, ...]]]

    def _new_conn(self) -> socket.socket:
        """Connects to the first address that answers, within CONNECT_SECONDS for all of them."""
        deadline = time.monotonic() + CONNECT_SECONDS
        infos = self.resolve(self._dns_host, self.port, deadline=deadline)
        failure: OSError = TimeoutError()
        for position, (family, kind, protocol, _, address) in enumerate(infos):
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                break
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(remaining / (len(infos) - position))
                connection.connect(address)
            except OSError as error:
                connection.close()
                failure = error
            else:
                connection.settimeout(max(0.01, deadline - time.monotonic()))  # for TLS
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection
        raise failure
