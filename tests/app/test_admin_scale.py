"""The admin with a hundred thousand accounts: as many queries as with three."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mailaccounts.models import MailAccount
from tests.app.crowd import crowd, make_accounts

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db

ACCOUNTS = "/admin/mailaccounts/mailaccount/"
PAGES = (
    f"{ACCOUNTS}dashboard/",
    ACCOUNTS,
    f"{ACCOUNTS}?p=3",
    f"{ACCOUNTS}?q=m7",
    f"{ACCOUNTS}?course=late&sign_in=password&remedy=reconnect",
    f"{ACCOUNTS}?o=1",
    "/admin/mailaccounts/auditentry/",
    "/admin/mailaccounts/auditentry/?action__exact=connected",
    "/admin/mailaccounts/quarantined/",
    "/admin/mailaccounts/outgoing/",
    "/admin/mailaccounts/breakglass/",
    "/admin/mailaccounts/alarm/",
    "/admin/mailaccounts/webhookdelivery/",
    "/admin/mailaccounts/breakglass/?now=over",
    "/admin/mailaccounts/webhookdelivery/?event__exact=alarm.raised",
)


@pytest.mark.parametrize(
    ("accounts", "entries"), [(10_000, 10_000), pytest.param(100_000, 1_000_000, marks=pytest.mark.soak)]
)
def test_every_page_takes_as_many_queries_however_much_there_is(boss: Client, accounts: int, entries: int) -> None:
    make_accounts(3)
    few = {page: _queries(boss, page) for page in PAGES}
    MailAccount.objects.all().delete()
    crowd(accounts, entries)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    many = {}
    for page in PAGES:
        started = time.perf_counter()
        many[page] = _queries(boss, page)
        sys.stdout.write(
            f"{page} {accounts:,} accounts: {many[page]} queries, {time.perf_counter() - started:.2f} s\n"
        )
    assert {page: number for page, number in many.items() if number > few[page] + 3} == {}


def _queries(boss: Client, page: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert boss.get(page).status_code == 200
    if "dashboard" not in page:  # a list doesn't ask all its rows what there is to choose from
        assert not any("SELECT DISTINCT" in each["sql"] for each in queries), page
    return len(queries)
