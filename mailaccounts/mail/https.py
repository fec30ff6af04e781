"""Fetching a small document from a host that nobody vouched for: https only, under the host policy, bounded."""

from __future__ import annotations

import time
from dataclasses import replace
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from typing import TYPE_CHECKING, cast
from urllib.parse import urljoin, urlsplit

from mailaccounts.errors import BudgetExceeded, ConnectionTimedOut, InvalidInput, ProtocolFault
from mailaccounts.mail.network import host_name, network_error
from mailaccounts.mail.types import Endpoint, Security

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from mailaccounts.mail.network import Network

PORT = 443
MOST_REDIRECTS = 2
CHUNK = 16_384
HEADERS_END = b"\r\n\r\n"
REDIRECTS = {301, 302, 303, 307, 308}


def fetch(
    url: str, *, network: Network, deadline: float, most_bytes: int, accept: str = "text/xml, application/xml"
) -> bytes | None:
    """The document at ``url``, or None when the host answers that there is none.

    Every host, also of a redirect, passes the policy, is connected to where it was judged and shows a certificate
    for its name; outside of the operator's own networks the port is 443. ``deadline`` is an instant of
    time.monotonic() for all of it, ``most_bytes`` are those of an answer with its headers. Nothing is sent but the
    question and which media types we ``accept``. Raises InvalidInput for another scheme or what is no URL, what
    Network.connect raises, ConnectionTimedOut, BudgetExceeded, ProtocolFault.
    """
    web = replace(network, ports=frozenset({PORT}))
    for _ in range(1 + MOST_REDIRECTS):
        endpoint, path = _target(url)
        response = _ask(endpoint, path, accept, web, deadline, most_bytes)
        location = response.getheader("Location")
        if response.status not in REDIRECTS or not location:
            break
        try:
            url = urljoin(url, location)
        except ValueError:
            raise InvalidInput(what="The address of a document") from None
    if response.status != 200:
        return None
    try:
        return response.read()
    except (HTTPException, ValueError):  # cut off, or not in the chunks it claims
        raise ProtocolFault(host=endpoint.host) from None


def post(
    url: str, body: bytes, *, headers: Mapping[str, str], network: Network, deadline: float, most_bytes: int
) -> int:
    """Posts ``body`` to ``url`` and returns the status of the answer, of which the headers and no more than
    ``most_bytes`` are read.

    The host passes the policy as for ``fetch``; no redirect is followed. ``headers`` are ours, and safe. Raises what
    ``fetch`` does.
    """
    endpoint, path = _target(url)
    lines = [f"POST {path} HTTP/1.1", f"Host: {_named(endpoint)}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    question = "\r\n".join([*lines, "", ""]).encode("ascii") + body
    with replace(network, ports=frozenset({PORT})).connect(endpoint, deadline) as connection:
        answer = _read(connection, question, endpoint, deadline, most_bytes, only_headers=True)
    return _begun(answer, endpoint, method="POST").status


def _target(url: str) -> tuple[Endpoint, str]:
    """Where ``url`` leads; InvalidInput for anything but https."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or PORT
    except ValueError:
        raise InvalidInput(what="The address of a document") from None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    plain = path.isascii() and path.isprintable() and " " not in path
    if parts.scheme != "https" or parts.username is not None or not plain:
        raise InvalidInput(what="The address of a document")
    return Endpoint(protocol="https", host=host_name(host), port=port, security=Security.TLS), path


def _ask(
    endpoint: Endpoint, path: str, accept: str, network: Network, deadline: float, most_bytes: int
) -> HTTPResponse:
    """Asks for ``path`` and reads all of the answer before looking at it."""
    question = f"GET {path} HTTP/1.1\r\nHost: {_named(endpoint)}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
    with network.connect(endpoint, deadline) as connection:
        answer = _read(connection, question.encode("ascii"), endpoint, deadline, most_bytes)
    return _begun(answer, endpoint, method="GET")


def _named(endpoint: Endpoint) -> str:
    return endpoint.host if endpoint.port == PORT else f"{endpoint.host}:{endpoint.port}"


def _begun(answer: bytes, endpoint: Endpoint, *, method: str) -> HTTPResponse:
    response = HTTPResponse(cast("socket.socket", _Answer(answer)), method=method)
    try:
        response.begin()
    except (HTTPException, ValueError):
        raise ProtocolFault(host=endpoint.host) from None
    return response


def _read(
    connection: socket.socket,
    question: bytes,
    endpoint: Endpoint,
    deadline: float,
    most_bytes: int,
    *,
    only_headers: bool = False,
) -> bytes:
    answer = bytearray()
    try:
        connection.settimeout(max(0.01, deadline - time.monotonic()))
        connection.sendall(question)
        while chunk := connection.recv(CHUNK):
            answer += chunk
            if only_headers and HEADERS_END in answer:
                break
            if len(answer) > most_bytes:
                raise BudgetExceeded(host=endpoint.host)
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise ConnectionTimedOut(host=endpoint.host)
            connection.settimeout(remaining)
    except OSError as error:
        raise network_error(error, host=endpoint.host, port=endpoint.port) from None
    return bytes(answer)


class _Answer:
    """Bytes in the place of the socket that http.client reads from."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, mode: str) -> BytesIO:
        return BytesIO(self._content)
