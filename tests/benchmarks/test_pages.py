"""B10: the inbox, its filters and its search, conversation, timeline, contacts take as long whatever mail is stored.

``BENCH_MANY`` is how many messages the large database has, with a tenth as many contacts; the small one has 1,000.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.benchmarks.measure import ROUNDS, Comparison
from tests.benchmarks.stored_mail import COMMON, RARE, fill

if TYPE_CHECKING:
    from tests.benchmarks.stored_mail import Stored

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(7200), pytest.mark.django_db(transaction=True)]

MANY = int(os.environ.get("BENCH_MANY", "1000000"))
FEW = 1000
MUST = 3.0  # times as long
MOST_QUERIES, MOST_SECONDS = 20, 0.1
VIEWS = 10  # of each page in a round


def pages(stored: Stored) -> dict[str, str]:
    return {
        "inbox": "/inbox/",
        "everything": "/inbox/?folder=all",
        "unread": "/inbox/?folder=all&unread=on",
        "flagged with attachments": "/inbox/?flagged=on&attached=on",
        "search of a common word": f"/inbox/?folder=all&q={COMMON}",
        "search of a rare word": f"/inbox/?folder=all&q={RARE}",
        "search of two words": f"/inbox/?q={COMMON}+deliver",
        "search in vain": "/inbox/?q=nowhere",
        "conversation": f"/mail/{stored.thread.pk}/?as-it-is",
        "timeline": f"/contacts/{stored.busy.pk}/",
        "contacts": "/contacts/",
    }


def measured(stored: Stored) -> dict[str, tuple[float, int]]:
    """The median seconds of a view of each page, and its queries."""
    client = Client()
    client.force_login(stored.user)
    found = {}
    for name, address in pages(stored).items():
        assert client.get(address).status_code == 200  # which is the warm-up
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
            number = len(queries)
        times = []
        for _ in range(ROUNDS * VIEWS):
            started = time.perf_counter()
            client.get(address)
            times.append(time.perf_counter() - started)
        found[name] = statistics.median(times), number
    return found


def test_pages_take_as_long_however_much_is_stored() -> None:
    small = measured(fill(messages=FEW, contacts=FEW // 10))
    large = measured(fill(messages=MANY, contacts=MANY // 10))
    failed = []
    for name, (seconds, queries) in large.items():
        comparison = Comparison(
            name=f"B10 {name}, {MANY:,} messages, {queries} queries",
            ours=seconds,
            peer_name=f"{FEW:,}",
            peer=small[name][0],
            must=MUST,
        )
        sys.stdout.write(comparison.report() + "\n")
        if queries != small[name][1] or queries >= MOST_QUERIES or seconds > MOST_SECONDS or comparison.ratio > MUST:
            failed.append(f"{name}: {small[name]} and {seconds, queries}")
    assert not failed, "\n".join(failed)
