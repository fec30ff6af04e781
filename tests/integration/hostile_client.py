"""Run as a program: signs in to 127.0.0.1:PORT with the product's own limits and prints what that cost, as JSON."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailaccounts.errors import MailAccountsError
from mailaccounts.mail.imap import ImapSession
from mailaccounts.mail.types import Known, Limits
from tests.integration.hostile import Person, endpoint


def peak_megabytes() -> float:
    """The most memory this process has held so far."""
    match = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert match
    return int(match[1]) / 1024


def main(port: str, ca_file: str, action: str) -> None:
    from mailaccounts.mail.network import Network

    network = Network.from_text(allow=("127.0.0.0/8",), ports=(), ca_bundle=ca_file, limits=Limits())
    assert network.tls_context
    before, started, code = peak_megabytes(), time.monotonic(), ""
    try:
        with ImapSession.open(endpoint(int(port)), Person(), network=network) as session:
            session.select("INBOX")
            match action:
                case "search":
                    session.search()
                case "existing":
                    session.existing(range(1, 1000, 2))
                case "flags":
                    session.marks(range(1, 100_000))
                case "resync":
                    session.select("INBOX", known=Known(uidvalidity=7, modseq=1))
                case "headers":
                    list(session.headers([1, 2, 3]))
                case "many headers":
                    list(session.headers(range(1, 5000)))
                case _:
                    list(session.bodies({1: 0, 2: 0, 3: 0}, max_bytes=25 * 2**20))
    except MailAccountsError as error:
        code = error.code
    spent = {"extra_megabytes": peak_megabytes() - before, "seconds": time.monotonic() - started}
    sys.stdout.write(json.dumps({"code": code} | spent))


if __name__ == "__main__":
    main(*sys.argv[1:])
