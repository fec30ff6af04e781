"""B12: fetching, parsing and matching headers, beside imap-tools and beside a socket that only reads them.

``B12_MESSAGES`` says how many there are.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from typing import TYPE_CHECKING

import pytest
from imap_tools import MailBox

from mailaccounts.mail.headers import parse_headers
from mailaccounts.mail.imap_fetch import HEADER_ITEMS
from mailaccounts.rules.threads import Letter, matched
from mailaccounts.testing.mailbox import Person, generate
from tests.benchmarks.maildir import CONTACTS
from tests.benchmarks.measure import compare
from tests.integration.test_imap_session import sign_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailaccounts.mail.imap import ImapSession
    from tests.benchmarks.maildir import Maildir

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db]

MESSAGES = int(os.environ.get("B12_MESSAGES", "8000"))
AT_A_TIME = 500  # headers in one command, which imap-tools is given as well
KNOWN = frozenset(person.address for person in CONTACTS)


class Bare:
    """A connection that asks for headers and reads them, and does nothing else."""

    def __init__(self, maildir: Maildir, context: ssl.SSLContext) -> None:
        plain = socket.create_connection(("localhost", maildir.mailbox.sandbox.imap.port))
        self._socket = context.wrap_socket(plain, server_hostname="localhost")
        self._sent = 0
        self._socket.recv(65_536)
        self.ask(f'LOGIN "{maildir.mailbox.address}" "{maildir.mailbox.password}"')
        self.ask("EXAMINE INBOX")

    def ask(self, command: str) -> int:
        """Octets until the command has ended."""
        self._sent += 1
        self._socket.sendall(f"B{self._sent} {command}\r\n".encode())
        end, tail, octets = re.compile(rb"(?:\A|\r\n)B%d OK [^\r\n]*\r\n\Z" % self._sent), b"", 0
        while not end.search(tail):
            piece = self._socket.recv(262_144)
            assert piece
            octets += len(piece)
            tail = (tail + piece)[-1_000:]
        return octets

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def session(maildir: Maildir) -> Iterator[ImapSession]:
    owner = Person(name="Anna Owner", address=maildir.mailbox.address)
    for message in generate(MESSAGES, seed=1, owner=owner, contacts=CONTACTS, attachment_bytes=(500, 1_000)):
        maildir.write(message.raw, when=message.date)
    with sign_in(maildir.mailbox) as session:
        session.select("INBOX")
        assert len(session.search()) == MESSAGES
        yield session


def test_headers_are_matched_faster_than_imap_tools_reads_them(maildir: Maildir, session: ImapSession) -> None:
    uids = session.search()
    context = ssl.create_default_context(cafile=str(maildir.mailbox.sandbox.ca_file))
    box = MailBox("localhost", port=maildir.mailbox.sandbox.imap.port, ssl_context=context)
    box.login(maildir.mailbox.address, maildir.mailbox.password, initial_folder="INBOX")
    bare = Bare(maildir, context)
    found: dict[str, set[int]] = {}

    def ours() -> None:
        """As a sync does it: with those of a thread that concern nobody themselves."""
        found["with threads"], found["ours"] = set(), set()
        for batch in session.headers(uids, batch=AT_A_TIME):
            letters = []
            for each in batch:
                headers = parse_headers(each.header, size=each.size, internal_date=each.internal_date)
                letters.append(Letter(uid=each.uid, keys=headers.thread_keys, addresses=headers.addresses))
            found["ours"] |= {letter.uid for letter in letters if not letter.addresses.isdisjoint(KNOWN)}
            found["with threads"] |= matched(letters, known=KNOWN, stored={})

    def imap_tools() -> None:
        found["imap-tools"] = {
            int(message.uid or 0)
            for message in box.fetch(headers_only=True, mark_seen=False, bulk=AT_A_TIME)
            if not KNOWN.isdisjoint(each.lower() for each in (message.from_, *message.to, *message.cc))
        }

    beside = compare(f"B12 headers of {MESSAGES:,} messages", ours, peer_name="imap-tools", peer=imap_tools, must=0.25)
    limit = compare(
        f"B12 headers of {MESSAGES:,} messages",
        ours,
        peer_name="read and thrown away",
        peer=lambda: bare.ask(f"UID FETCH 1:* {HEADER_ITEMS}"),
        must=5,
    )
    bare.close()
    box.logout()
    print(f"\n{beside.report()}\n{limit.report()}")  # noqa: T201 - a benchmark is there to be read
    assert found["ours"] == found["imap-tools"] <= found["with threads"]
    assert found["ours"]
    assert beside.ratio <= beside.must
    assert limit.ratio <= limit.must
