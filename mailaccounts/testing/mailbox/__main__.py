"""Writes a made-up mailbox as JSON lines: the truth about each message, and its bytes in base64 as ``raw``."""

from __future__ import annotations

import argparse
import base64
import csv
import json
import sys
from datetime import datetime
from email.utils import parseaddr
from pathlib import Path

from mailaccounts.testing.mailbox import NEWEST, Person, generate


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m mailaccounts.testing.mailbox", description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--owner", required=True, metavar="'NAME <ADDRESS>'")
    parser.add_argument("--contacts", type=Path, required=True, metavar="FILE.csv", help="name,email,company")
    parser.add_argument("--share", type=float, default=0.156, help="of the messages, in threads with a contact")
    parser.add_argument("--copies", type=float, default=0.0, help="of the messages, again in Archive")
    parser.add_argument("--newest", type=datetime.fromisoformat, default=NEWEST, help="date and time with zone")
    parser.add_argument("--days", type=int, default=300)
    parser.add_argument("--attachment-bytes", type=int, nargs=2, default=(10_000, 500_000), metavar=("LEAST", "MOST"))
    options = parser.parse_args()

    name, address = parseaddr(options.owner)
    with options.contacts.open(encoding="utf-8", newline="") as file:
        contacts = [Person(name=row["name"], address=row["email"]) for row in csv.DictReader(file)]
    for message in generate(
        options.count,
        seed=options.seed,
        owner=Person(name=name, address=address),
        contacts=contacts,
        share=options.share,
        copies=options.copies,
        newest=options.newest,
        days=options.days,
        attachment_bytes=tuple(options.attachment_bytes),
    ):
        line = {**message.manifest(), "seen": message.seen, "raw": base64.b64encode(message.raw).decode()}
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
