"""A DNS server and a web server on loopback, for what domains say of their mail."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset
import pytest
import trustme

from mailaccounts.mail.network import Network
from mailaccounts.mail.types import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Self


class DnsServer:
    """Answers from ``records``, {(name, type): [text, ...]}; says nothing at all when ``silent``."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.silent = False
        self.asked: list[tuple[str, str]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, name="dns-server")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._socket.sendto(b"", self._socket.getsockname())  # wakes the thread up, to end
        self._thread.join()
        self._socket.close()

    @property
    def resolver(self) -> dns.resolver.Resolver:
        """Asks this server and no other."""
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], self._socket.getsockname()[1]
        return resolver

    def _serve(self) -> None:
        while True:
            query, sender = self._socket.recvfrom(4096)
            if not query:
                return
            if not self.silent:
                self._socket.sendto(self._answer(dns.message.from_wire(query)), sender)

    def _answer(self, query: dns.message.Message) -> bytes:
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if texts := self.records.get((name, kind)):
            response.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *texts))
        elif not any(known == name for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()


@dataclass(kw_only=True)
class Page:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    wait: threading.Event | None = None  # answer only then


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Most clients here hang up on purpose."""


class WebServer:
    """Serves ``pages``, {(host, path): Page}, over TLS with a certificate for ``names``; 404 for everything else."""

    def __init__(self, directory: Path, *names: str) -> None:
        authority = trustme.CA()
        self.ca_file = directory / "ca.pem"
        authority.cert_pem.write_to_path(self.ca_file)
        self.pages: dict[tuple[str, str], Page] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.posted: list[bytes] = []  # the bodies
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                web.posted.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.do_GET()

            def do_GET(self) -> None:
                host = self.headers["Host"]
                web.asked.append((host, self.path, dict(self.headers)))
                page = web.pages.get((host, self.path), Page(status=404))
                if page.wait:
                    page.wait.wait(30)
                with suppress(OSError):  # the other side has had enough
                    self.send_response(page.status)
                    for name, value in page.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(page.body)))
                    self.end_headers()
                    self.wfile.write(page.body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = _QuietServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names).configure_cert(context)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        port: int = self._server.server_address[1]
        return port

    def network(
        self, addresses: dict[str, str] | None = None, *, allow: tuple[str, ...] = ("127.0.0.0/8",)
    ) -> Network:
        """A network in which every host is at 127.0.0.1, or where ``addresses`` say, and port 443 is this server's."""
        made = Network.from_text(allow=allow, ports=(143, 465, 587, 993), ca_bundle=str(self.ca_file), limits=Limits())
        return Network(
            allow=made.allow,
            ports=made.ports,
            ca_bundle=made.ca_bundle,
            lookup=names(addresses or {}, ports={443: self.port}),
        )


def names(addresses: dict[str, str], *, ports: dict[int, int] | None = None) -> Callable[..., list[Any]]:
    """A getaddrinfo that knows ``addresses`` and takes every other name to 127.0.0.1; "" is no address at all."""

    def lookup(host: str, port: int, **_: Any) -> list[Any]:
        address = addresses.get(host, "127.0.0.1")
        if not address:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, (ports or {}).get(port, port)))]

    return lookup


def configuration(*servers: str) -> bytes:
    """An autoconfig document: each server as ``kind type host port socketType [username]``."""
    lines = ['<?xml version="1.0"?>', '<clientConfig version="1.1">', '<emailProvider id="corp.test">']
    for server in servers:
        kind, protocol, host, port, security, *username = server.split()
        lines += [
            f'<{kind}Server type="{protocol}">',
            f"<hostname>{host}</hostname><port>{port}</port><socketType>{security}</socketType>",
            f"<username>{username[0] if username else '%EMAILADDRESS%'}</username>",
            f"</{kind}Server>",
        ]
    return "\n".join([*lines, "</emailProvider>", "</clientConfig>"]).encode()


@pytest.fixture
def dns_server() -> Iterator[DnsServer]:
    """A DNS server that knows no name yet."""
    with DnsServer() as server:
        yield server


@pytest.fixture
def web_server(tmp_path: Path) -> Iterator[WebServer]:
    """The web hosts of corp.test and of another domain, without a page yet."""
    with WebServer(tmp_path, "corp.test", "autoconfig.corp.test", "elsewhere.test") as server:
        yield server
