"""The host policy: every address form that could lead inside, ports, names, trust."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from mailaccounts.errors import (
    ConnectionRefused,
    ConnectionTimedOut,
    HostLookupFailed,
    HostNotAllowed,
    HostNotFound,
    InvalidInput,
    MailAccountsError,
    PortNotAllowed,
    UnsafeArgument,
)
from mailaccounts.mail.addresses import is_public, parse_address
from mailaccounts.mail.network import Network, host_name
from mailaccounts.mail.types import Endpoint, Limits, Security

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PUBLIC = ("93.184.215.14", "8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001:82a::200e", "::ffff:8.8.8.8")
NOT_PUBLIC = (
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",  # cloud metadata
    "100.64.0.1",  # carrier-grade NAT
    "100.100.100.200",  # Alibaba's metadata
    "0.0.0.0",  # noqa: S104 - refused here, not bound to
    "0.1.2.3",
    "192.0.0.8",
    "192.0.0.9",
    "192.0.0.192",  # Oracle's metadata
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",  # IPv4-compatible, long deprecated
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",  # IPv4-translated
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",  # Amazon's metadata
    "ff02::1",
    "ff0e::1",
    "100::1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "2001::1",  # Teredo
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "3fff::1",
    "5f00::1",
    "4000::1",
)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_ordinary_address_is_public(address: str) -> None:
    assert is_public(parse_address(address))


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_could_lead_inside_is_not_public(address: str) -> None:
    assert not is_public(parse_address(address))


def resolver(*addresses: str) -> Callable[..., list[Any]]:
    """Answers every name with ``addresses``."""

    def lookup(host: str, port: int, **_: Any) -> list[Any]:
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in addresses
        ]

    return lookup


def network(*, allow: tuple[str, ...] = (), lookup: Callable[..., Any] = socket.getaddrinfo) -> Network:
    limits = Limits(connect_seconds=2)
    made = Network.from_text(allow=allow, ports=(143, 465, 587, 993), ca_bundle="", limits=limits)
    return Network(allow=made.allow, ports=made.ports, limits=limits, lookup=lookup)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_a_name_that_resolves_inside_is_refused(address: str) -> None:
    with pytest.raises(HostNotAllowed):
        network(lookup=resolver(address)).resolve("mail.example.com", 993)


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.1", "0x7f.1", "0x7f000001", "2130706433", "017700000001", "127.0.0.1.", "LOCALHOST", "::1"],
)
def test_no_spelling_of_loopback_gets_through(host: str) -> None:
    with pytest.raises(HostNotAllowed):
        network().resolve(host, 993)


def test_one_bad_address_among_good_ones_refuses_the_host() -> None:
    with pytest.raises(HostNotAllowed):
        network(lookup=resolver("8.8.8.8", "10.0.0.1", "2606:4700:4700::1111")).resolve("mail.example.com", 993)


def test_a_public_name_resolves_to_all_its_addresses() -> None:
    found = network(lookup=resolver("8.8.8.8", "2606:4700:4700::1111")).resolve("mail.example.com", 993)
    assert [info[4][0] for info in found] == ["8.8.8.8", "2606:4700:4700::1111"]


def test_the_operators_networks_may_be_private_and_use_any_port() -> None:
    inside = network(allow=("127.0.0.0/8", "10.1.2.3"), lookup=resolver("127.0.0.1", "10.1.2.3", "::ffff:127.0.0.2"))
    assert len(inside.resolve("mail.lan", 10_993)) == 3


def test_an_address_beside_the_operators_networks_stays_refused() -> None:
    with pytest.raises(HostNotAllowed):
        network(allow=("10.1.2.3",), lookup=resolver("10.1.2.3", "10.1.2.4")).resolve("mail.lan", 993)


@pytest.mark.parametrize("port", [0, -1, 22, 25, 80, 6379, 65_536, 10**9])
def test_a_port_that_is_not_for_mail_is_refused(port: int) -> None:
    with pytest.raises(PortNotAllowed):
        network(lookup=resolver("8.8.8.8")).resolve("mail.example.com", port)


def test_one_address_outside_the_operators_networks_keeps_the_ports_to_those_of_mail() -> None:
    with pytest.raises(PortNotAllowed):
        network(allow=("127.0.0.1",), lookup=resolver("127.0.0.1", "8.8.8.8")).resolve("mail.example.com", 10_993)


@pytest.mark.parametrize("host", ["a\r\nb", "a\nb", "a\0b", "mail\x7f.example", "a\tb"])
def test_control_characters_in_a_host_are_unsafe(host: str) -> None:
    with pytest.raises(UnsafeArgument):
        network().resolve(host, 993)


@pytest.mark.parametrize(
    "host",
    ["", "   ", ".", "a b", "imaps://mail.example", "mail.example/x", "a" * 64 + ".example", "a." * 200, "[::1]"],
)
def test_what_is_no_host_name_is_invalid(host: str) -> None:
    with pytest.raises(InvalidInput):
        network().resolve(host, 993)


def test_names_are_spelled_as_dns_and_certificates_spell_them() -> None:
    assert host_name("Mail.Example.COM.") == "Mail.Example.COM"
    assert host_name(" bücher.example ") == "xn--bcher-kva.example"
    assert host_name("2606:4700::1111") == "2606:4700::1111"


def failing(error: Exception) -> Callable[..., Any]:
    def lookup(*_: Any, **__: Any) -> Any:
        raise error

    return lookup


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (socket.gaierror(socket.EAI_NONAME, "unknown"), HostNotFound),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), HostLookupFailed),
        (socket.gaierror(socket.EAI_FAIL, "failure"), HostLookupFailed),
        (UnicodeError("label too long"), HostNotFound),
    ],
)
def test_a_name_that_is_not_there_and_a_resolver_that_is_not_there_differ(
    error: Exception, expected: type[MailAccountsError]
) -> None:
    with pytest.raises(expected):
        network(lookup=failing(error)).resolve("mail.example.com", 993)


def test_a_resolver_that_hangs_ends_at_the_deadline() -> None:
    release = threading.Event()

    def lookup(*_: Any, **__: Any) -> list[Any]:
        release.wait(30)
        return []

    started = time.monotonic()
    try:
        with pytest.raises(HostLookupFailed):
            network(lookup=lookup).resolve("mail.example.com", 993, deadline=started + 0.3)
    finally:
        release.set()
    assert time.monotonic() - started < 20


@pytest.fixture
def listener() -> Iterator[int]:
    """A port on 127.0.0.1 that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def starttls(host: str, port: int) -> Endpoint:
    return Endpoint(protocol="imap", host=host, port=port, security=Security.STARTTLS)


def test_a_name_that_changes_its_address_is_connected_where_it_was_judged(listener: int) -> None:
    """DNS rebinding: the second answer would lead elsewhere, so there must be no second question."""
    asked = []

    def rebinding(host: str, port: int, **options: Any) -> list[Any]:
        asked.append(host)
        return resolver("127.0.0.1" if len(asked) == 1 else "127.0.0.2")(host, port, **options)

    inside = network(allow=("127.0.0.1",), lookup=rebinding)
    with inside.connect(starttls("mail.example.com", listener), time.monotonic() + 30) as connection:
        assert connection.getpeername() == ("127.0.0.1", listener)
    assert asked == ["mail.example.com"]


def test_the_next_address_is_tried_when_one_does_not_answer(listener: int) -> None:
    inside = network(allow=("127.0.0.0/8",), lookup=resolver("127.0.0.2", "127.0.0.1"))
    with inside.connect(starttls("mail.lan", listener), time.monotonic() + 30) as connection:
        assert connection.getpeername()[0] == "127.0.0.1"


def test_a_closed_port_is_a_refused_connection(closed_port: int) -> None:
    with pytest.raises(ConnectionRefused):
        network(allow=("127.0.0.0/8",)).connect(starttls("127.0.0.1", closed_port), time.monotonic() + 30)


def test_a_host_that_swallows_everything_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        fillers = []
        for _ in range(4):  # a full queue drops further SYNs
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(address)
            fillers.append(filler)
        started = time.monotonic()
        with pytest.raises(ConnectionTimedOut):
            network(allow=("127.0.0.0/8",)).connect(starttls("127.0.0.1", address[1]), started + 0.5)
        assert time.monotonic() - started < 20
        for filler in fillers:
            filler.close()


def test_tls_is_verified_and_modern_and_its_context_is_shared() -> None:
    outside = network()
    assert outside.tls_context is outside.tls_context
    assert outside.tls_context.verify_mode is ssl.CERT_REQUIRED
    assert outside.tls_context.check_hostname
    assert outside.tls_context.minimum_version >= ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"allow": ("localhost",)}, "'localhost' is neither an IP address nor a network"),
        ({"allow": ("10.0.0.0/33",)}, "10.0.0.0/33"),
        ({"ports": (0,)}, "0 is not a port number"),
        ({"ports": (70_000,)}, "70000 is not a port number"),
        ({"ca_bundle": "/no/such/file.pem"}, "/no/such/file.pem is not a readable file of certificates"),
        ({"ca_bundle": __file__}, "is not a readable file of certificates"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named_in_words(options: dict[str, Any], words: str) -> None:
    settings: dict[str, Any] = {"allow": (), "ports": (993,), "ca_bundle": "", "limits": Limits()} | options
    with pytest.raises(ValueError, match=words.replace(".", r"\.")):
        Network.from_text(**settings)
