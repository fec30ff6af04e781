"""B1 and B2: the first sync of a mailbox into PostgreSQL, beside mbsync, which mirrors it into files.

``BENCH_MESSAGES`` says how many there are, ``BENCH_ROUNDS`` how often each is timed.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from mailaccounts.models import MailAccount, Message
from mailaccounts.services.syncing.sync import sync_account
from tests.benchmarks.conftest import connected, forget_all_mail, octets_stored
from tests.benchmarks.maildir import Maildir, write_generated
from tests.benchmarks.measure import compare
from tests.benchmarks.mirror import Mirror
from tests.proxy import in_a_process

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True)]

MESSAGES = int(os.environ.get("BENCH_MESSAGES", "20000"))


def sync_all(account: MailAccount) -> None:
    finished = False
    while not finished:
        report = sync_account(account.pk)
        assert report.error is None, report.error.code
        finished = report.finished


@pytest.mark.parametrize(
    ("name", "round_trip", "must"), [("B1", 0.0, 2.0), ("B2", 0.05, 0.3)], ids=["loopback", "50 ms away"]
)
def test_a_first_sync_beside_mbsync(
    maildir: Maildir, mirror_directory: Path, name: str, round_trip: float, must: float
) -> None:
    wanted, unsure = write_generated(maildir, MESSAGES)
    with in_a_process(maildir.mailbox.sandbox.imap.port, round_trip=round_trip) as proxy:
        port = proxy.port if round_trip else maildir.mailbox.sandbox.imap.port
        mirror = Mirror(mailbox=maildir.mailbox, directory=mirror_directory, port=port)

        def anew() -> None:
            mirror.forget()
            forget_all_mail()
            connected(maildir.mailbox, port=port)

        result = compare(
            f"{name} first sync of {MESSAGES:,} messages, {round_trip * 1000:.0f} ms away",
            lambda: sync_all(MailAccount.objects.get()),
            peer_name="mbsync, all into files",
            peer=mirror.run,
            must=must,
            prepare=anew,
        )
        assert mirror.messages() == MESSAGES
        anew()
        empty = octets_stored()
        sync_all(MailAccount.objects.get())
    each = (octets_stored() - empty) / Message.objects.count()
    print(  # noqa: T201 - a benchmark is there to be read
        f"\n{result.report()}\n{Message.objects.count():,} messages stored, {each / 1000:.1f} kB of database each"
    )
    stored = Counter(Message.objects.exclude(message_id="").values_list("message_id", flat=True))
    assert {key: count for key, count in stored.items() if key not in unsure} == dict.fromkeys(wanted, 1)
    assert result.ratio <= result.must
