"""The instrument itself: it counts what it sees, and breaks a connection where it was told to."""

from __future__ import annotations

import imaplib
import ssl
import time
from typing import TYPE_CHECKING

import pytest

from tests.letters import letter
from tests.proxy import Fault, Kind, Proxy, in_a_process

if TYPE_CHECKING:
    from tests.sandbox_fixtures import SandboxMailbox

GONE = (imaplib.IMAP4.error, OSError)


def connect(mailbox: SandboxMailbox, port: int, *, seconds: float = 10) -> imaplib.IMAP4_SSL:
    trusted = ssl.create_default_context(cafile=str(mailbox.sandbox.ca_file))
    return imaplib.IMAP4_SSL("localhost", port, ssl_context=trusted, timeout=seconds)


def use(mailbox: SandboxMailbox, port: int, *, seconds: float = 10) -> list[str]:
    """Signs in, opens INBOX, reads a message; the names of the commands that were answered."""
    done: list[str] = []
    try:
        with connect(mailbox, port, seconds=seconds) as imap:
            for name, call in {
                "LOGIN": lambda: imap.login(mailbox.address, mailbox.password),
                "EXAMINE": lambda: imap.select("INBOX", readonly=True),
                "FETCH": lambda: imap.uid("FETCH", "1", "(BODY.PEEK[])"),
            }.items():
                call()
                done.append(name)
    except GONE:
        return done
    return [*done, "LOGOUT"]


@pytest.fixture
def port(mailbox: SandboxMailbox) -> int:
    mailbox.append(letter(attachment=b"x" * 100_000))
    return mailbox.sandbox.imap.port


def test_what_it_passes_on_is_counted_and_nothing_else_changes(mailbox: SandboxMailbox, port: int) -> None:
    with Proxy(port) as proxy:
        assert use(mailbox, proxy.port) == ["LOGIN", "EXAMINE", "FETCH", "LOGOUT"]
    assert proxy.counts.connections == 1
    assert 6 <= proxy.counts.flights <= 8  # two of TLS's, CAPABILITY, and a command each
    assert proxy.counts.received > 130_000
    assert proxy.counts.commands == []


def test_with_tls_ended_it_knows_every_command(mailbox: SandboxMailbox, port: int) -> None:
    with Proxy(port, certificates=mailbox.sandbox.certificates) as proxy:
        assert use(mailbox, proxy.port) == ["LOGIN", "EXAMINE", "FETCH", "LOGOUT"]
    names = [command.split()[1] for _, command in proxy.counts.commands]
    assert names == ["CAPABILITY", "LOGIN", "EXAMINE", "UID", "LOGOUT"] or "CAPABILITY" in names[2:]
    assert proxy.counts.flights == len(names)


@pytest.mark.parametrize("after", [0, 10])
@pytest.mark.parametrize("kind", [Kind.UNSENT, Kind.CUT])
def test_it_cuts_at_the_command_it_was_told(mailbox: SandboxMailbox, port: int, kind: Kind, after: int) -> None:
    with Proxy(port, certificates=mailbox.sandbox.certificates) as proxy:
        proxy.fault = Fault(kind=kind, turn=3, after=after)
        assert use(mailbox, proxy.port) == ["LOGIN"]
        _, sent = proxy.counts.commands[-1]
        assert sent.split()[1] == "EXAMINE"
        assert use(mailbox, proxy.port)[-1] == "LOGOUT"  # the next connection is as good as ever


@pytest.mark.parametrize("kind", [Kind.UNSENT, Kind.CUT, Kind.CORRUPT])
def test_it_breaks_what_it_can_not_read_too(mailbox: SandboxMailbox, port: int, kind: Kind) -> None:
    with Proxy(port) as proxy:
        use(mailbox, proxy.port)
        turns = proxy.counts.flights
        for turn in range(1, turns):
            proxy.fault = Fault(kind=kind, turn=turn)
            assert use(mailbox, proxy.port)[-1:] != ["LOGOUT"], turn


def test_it_never_answers(mailbox: SandboxMailbox, port: int) -> None:
    with Proxy(port, certificates=mailbox.sandbox.certificates) as proxy:
        proxy.fault = Fault(kind=Kind.STALL, turn=4)
        assert use(mailbox, proxy.port, seconds=0.3) == ["LOGIN", "EXAMINE"]


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        (Fault(kind=Kind.DELAY, turn=4, amount=0.3), 0.3),
        (Fault(kind=Kind.THROTTLE, turn=4, amount=500_000), 0.25),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_it_takes_its_time(mailbox: SandboxMailbox, port: int, fault: Fault, seconds: float) -> None:
    with Proxy(port, certificates=mailbox.sandbox.certificates) as proxy:
        proxy.fault = fault
        started = time.monotonic()
        assert use(mailbox, proxy.port)[-1] == "LOGOUT"
        assert time.monotonic() - started > seconds


def test_a_round_trip_takes_as_long_as_it_should(mailbox: SandboxMailbox, port: int) -> None:
    with in_a_process(port, round_trip=0.02) as proxy:
        started = time.monotonic()
        use(mailbox, proxy.port)
        seconds, counts = time.monotonic() - started, proxy.counts()
    assert seconds > 0.02 * (counts.flights + 1)  # one more for the connection itself
    assert counts.connections == 1
