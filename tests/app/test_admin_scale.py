"""The admin with a hundred thousand accounts: as many queries as with three."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mailaccounts.models import AuditEntry, BreakGlass, Credential, MailAccount, Tally, WebhookDelivery
from tests.app.builders import make_quarantined
from tests.app.crowd import make_accounts, make_entries, multiply

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


def crowd(accounts: int, entries: int) -> None:
    """So many accounts in all states, each with a credential and a tally, and so many audit entries."""
    first = make_accounts(1)[0]
    make_entries(1, first)
    make_quarantined(first)
    opened = {"viewer": first.owner, "reason": "An order is missing", "until": timezone.now()}
    opening = BreakGlass.objects.create(account=first, **opened)
    delivery = WebhookDelivery.objects.create(event="message.stored")
    spread = "now() - n * interval '1 second'"
    state = "(array['ok', 'ok', 'waiting', 'needs_owner'])[1 + mod(n, 4)]"
    code = "(array['', '', 'timeout', 'password_rejected'])[1 + mod(n, 4)]"
    host = "(array['outlook.office365.com', 'imap.gmail.com', 'imap.example.test'])[1 + mod(n, 3)]"
    multiply(
        first,
        f"generate_series(1, {accounts}) n",
        address="'m' || n || '@m.test'",
        status=state,
        status_code=code,
        imap_host=host,
        **dict.fromkeys(("last_sync_at", "next_sync_at", "created_at"), spread),
    )
    others = f"(SELECT id FROM mailaccounts_mailaccount WHERE id <> {first.pk}) a"  # noqa: S608 - a number of ours
    multiply(Credential.objects.get(), others, id="gen_random_uuid()", account="a.id")
    multiply(Tally.objects.get(), others, account="a.id")
    multiply(opening, others, account="a.id")
    many = f"generate_series(1, {entries}) n"
    multiply(delivery, many, id="gen_random_uuid()", created_at=spread)
    multiply(AuditEntry.objects.get(), many, id="gen_random_uuid()", at=spread)


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
