"""HTTP to identity providers: trusted TLS only, bounded, and whatever goes wrong is the provider being unavailable."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar

import pytest
import trustme

from mailaccounts.errors import ProviderNotAllowed, ProviderThrottled, ProviderUnavailable
from mailaccounts.mail.network import Network
from mailaccounts.mail.types import Limits
from mailaccounts.oauth import pinned
from mailaccounts.oauth import transport as transport_module
from mailaccounts.oauth.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Reply = tuple[int, dict[str, str], bytes]


LATER = format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)


class Handler(BaseHTTPRequestHandler):
    replies: ClassVar[dict[str, Reply]] = {
        "/json": (200, {}, b'{"hello": "w\xc3\xb6rld"}'),
        "/error": (400, {}, b'{"error": "invalid_grant"}'),
        "/empty": (200, {}, b""),
        "/html": (200, {}, b"<html>"),
        "/html-404": (404, {}, b"<html>"),
        "/html-400": (400, {}, b"<html>"),
        "/latin": (200, {}, b'"\xff"'),
        "/500": (500, {}, b'{"error": "server_error"}'),
        "/503": (503, {"retry-after": "31"}, b""),
        "/403": (403, {}, b"<html>Rate limit"),
        "/429-later": (429, {"Retry-After": LATER}, b""),
        "/429": (429, {"Retry-After": "17"}, b""),
        "/429-date": (429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, b""),
        "/away": (302, {"Location": "/json"}, b""),
        "/utf-16": (200, {}, '{"a": 1}'.encode("utf-16")),
        "/bom": (200, {}, '{"a": 1}'.encode("utf-8-sig")),
        "/deep": (200, {}, b"[" * 500_000 + b"]" * 500_000),
        "/packed": (200, {"Content-Encoding": "gzip"}, gzip.compress(b'{"a": 1}')),
        "/huge": (200, {}, b'"' + b"x" * (2 * 2**20) + b'"'),
    }

    def do_GET(self) -> None:
        if self.path.startswith("/drip"):
            self.drip(b"HTTP/1.1 200 OK\r\nX-Slow: " if self.path == "/drip-head" else b"HTTP/1.1 200 OK\r\n\r\n")
            return
        status, headers, body = self.replies[self.path]
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def drip(self, beginning: bytes) -> None:
        """Sends a byte every now and then until nobody listens any more."""
        with suppress(OSError):
            self.wfile.write(beginning)
            for _ in range(600):
                self.wfile.write(b"1")
                time.sleep(0.05)  # the pace is what is tested

    def log_message(self, *args: object) -> None:
        """Silence."""


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate authority's file; its server's certificate lies beside it."""
    directory = tmp_path_factory.mktemp("ca")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    authority.issue_cert("localhost", "login.example.test").private_key_and_cert_chain_pem.write_to_path(
        str(directory / "server.pem")
    )
    return directory / "ca.pem"


@pytest.fixture(scope="module")
def base(ca: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca.parent / "server.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def transport(ca: Path) -> Transport:
    return Transport("Example", ca_bundle=str(ca))


def test_a_json_answer_comes_through(transport: Transport, base: str) -> None:
    assert transport.get(f"{base}/json").json() == {"hello": "wörld"}
    refused = transport.post(f"{base}/error", data={"a": "b"})
    assert (refused.status_code, json.loads(refused.text)) == (400, {"error": "invalid_grant"})
    assert transport.post(f"{base}/empty").status_code == 200


def test_what_is_not_there_is_no_outage(transport: Transport, base: str) -> None:
    """A mistyped address, above all: servers have pages for that, and no JSON."""
    answer = transport.get(f"{base}/html-404")
    assert (answer.status_code, answer.text) == (404, "")


@pytest.mark.parametrize(
    "path", ["/500", "/html", "/html-400", "/latin", "/utf-16", "/bom", "/deep", "/packed", "/away", "/huge"]
)
def test_any_other_answer_is_an_outage(transport: Transport, base: str, path: str) -> None:
    with pytest.raises(ProviderUnavailable):
        transport.get(base + path)


@pytest.mark.parametrize(("path", "seconds"), [("/429", 17.0), ("/429-date", None)])
def test_a_throttle_says_how_long_to_wait(transport: Transport, base: str, path: str, seconds: float | None) -> None:
    with pytest.raises(ProviderThrottled) as caught:
        transport.get(base + path)
    assert caught.value.retry_after == seconds


def test_a_wait_may_be_a_date_and_outages_have_one_too(transport: Transport, base: str) -> None:
    with pytest.raises(ProviderThrottled) as throttled:
        transport.get(f"{base}/429-later")
    assert 85_000 < (throttled.value.retry_after or 0) <= 86_400
    with pytest.raises(ProviderUnavailable) as unavailable:
        transport.get(f"{base}/503")
    assert unavailable.value.retry_after == 31


def test_a_page_for_people_in_the_place_of_an_answer_asks_to_slow_down(transport: Transport, base: str) -> None:
    """Google's token endpoint does that to those who ask too often."""
    with pytest.raises(ProviderThrottled):
        transport.post(f"{base}/403")


def test_our_authority_is_trusted_beside_the_systems_and_no_other(base: str) -> None:
    with pytest.raises(ProviderUnavailable):
        Transport("Example").get(f"{base}/json")


def test_a_certificate_for_another_name_is_refused(transport: Transport, base: str) -> None:
    with pytest.raises(ProviderUnavailable):
        transport.get(f"{base}/json".replace("localhost", "127.0.0.1"))


def test_nothing_travels_unencrypted(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(ProviderUnavailable):
        listener.settimeout(0)
        transport.post(f"http://127.0.0.1:{listener.getsockname()[1]}/token", data={"client_secret": "s3cret"})


def test_the_environment_changes_nothing(
    transport: Transport, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(empty))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert transport.get(f"{base}/json")


def test_nobody_there_is_an_outage(transport: Transport, closed_port: int) -> None:
    with pytest.raises(ProviderUnavailable):
        transport.get(f"https://localhost:{closed_port}/json")


def test_a_silent_provider_is_given_up(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "READ_SECONDS", 0.3)
    monkeypatch.setattr(pinned, "CONNECT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(ProviderUnavailable):
        transport.get(f"https://localhost:{listener.getsockname()[1]}/json")


@pytest.mark.parametrize("path", ["/drip-head", "/drip-body"])
def test_a_provider_that_answers_byte_by_byte_is_given_up(
    transport: Transport, base: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport_module, "READ_SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(ProviderUnavailable):
        transport.get(base + path)
    assert time.monotonic() - began < 20


def test_an_outage_tells_nothing_of_what_was_sent(transport: Transport, base: str) -> None:
    with pytest.raises(ProviderUnavailable) as caught:
        transport.post(f"{base}/500?code=s3cret", data={"client_secret": "s3cret"})
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


# --- which addresses -------------------------------------------------------------------------------------------

NAME = "login.example.test"


class Names:
    """DNS as the test has it: each look-up takes the next answer, the last one stays."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), 0

    def __call__(self, host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answer.split()]


def judged(ca: Path, names: Names, *, allow: str = "", port: int = 443) -> Transport:
    allowed = [allow] if allow else []
    network = Network.from_text(allow=allowed, ports=[443, port], ca_bundle="", limits=Limits())
    return Transport("Example", ca_bundle=str(ca), resolve=replace(network, lookup=names).resolve)


def test_the_address_that_was_judged_is_connected_to_and_the_name_verified(ca: Path, base: str) -> None:
    names, port = Names("127.0.0.1"), int(base.rpartition(":")[2])
    transport = judged(ca, names, allow="127.0.0.0/8")
    assert transport.get(f"https://{NAME}:{port}/json").json()
    assert names.asked == 1
    with pytest.raises(ProviderUnavailable):
        transport.get(f"https://another.example.test:{port}/json")


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "192.0.2.1 127.0.0.1"])
def test_a_provider_in_a_network_that_is_not_allowed_is_not_connected_to(ca: Path, base: str, address: str) -> None:
    port = int(base.rpartition(":")[2])
    with pytest.raises(ProviderNotAllowed):
        judged(ca, Names(address), port=port).post(f"https://{NAME}:{port}/json", data={"client_secret": "s3cret"})


def test_another_port_is_not_connected_to(ca: Path, base: str) -> None:
    with pytest.raises(ProviderNotAllowed):
        judged(ca, Names("127.0.0.1")).get(f"https://{NAME}:{base.rpartition(':')[2]}/json")


def test_a_name_that_means_something_else_a_moment_later_gains_nothing(
    ca: Path, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: there is one look-up for a connection, whose answer is judged and connected to."""
    monkeypatch.setattr(pinned, "CONNECT_SECONDS", 0.3)
    port, names = int(base.rpartition(":")[2]), Names("8.8.8.8", "127.0.0.1")
    with pytest.raises(ProviderUnavailable) as caught:
        judged(ca, names, port=port).get(f"https://{NAME}:{port}/json")
    assert type(caught.value) is ProviderUnavailable
    assert names.asked == 1


def test_an_address_that_does_not_answer_gives_way_to_the_next(ca: Path, base: str) -> None:
    port = int(base.rpartition(":")[2])
    transport = judged(ca, Names("127.0.0.2 127.0.0.1"), allow="127.0.0.0/8")
    assert transport.get(f"https://{NAME}:{port}/json").json()


def test_a_name_that_is_not_there_is_an_outage(ca: Path) -> None:
    def nothing(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    network = replace(Network(ports=frozenset({443})), lookup=nothing)
    with pytest.raises(ProviderUnavailable):
        Transport("Example", ca_bundle=str(ca), resolve=network.resolve).get(f"https://{NAME}/json")
