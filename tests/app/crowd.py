"""As many accounts as an organisation has, in a few statements."""

from __future__ import annotations

import secrets
from datetime import timedelta
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import AutoField
from django.utils import timezone

from mailaccounts.crypto import Secret
from mailaccounts.models import (
    AuditAction,
    AuditEntry,
    BreakGlass,
    Credential,
    CredentialState,
    MailAccount,
    Tally,
    WebhookDelivery,
)
from tests.app.builders import make_grant, make_quarantined, make_user

if TYPE_CHECKING:
    from datetime import datetime

HOSTS = ("outlook.office365.com", "imap.gmail.com", "imap.example.test")
STATES = (("ok", ""), ("ok", ""), ("ok", ""), ("waiting", "timeout"), ("needs_owner", "password_rejected"))


def make_accounts(number: int, **columns: Any) -> list[MailAccount]:
    """Accounts of one owner at three servers, in all states; every second one signs in with a consent."""
    owner, now = columns.pop("owner", None) or make_user(), timezone.now()
    rows = [
        MailAccount(owner=owner, address=f"{secrets.token_hex(8)}@example.test", **(_state(place, now) | columns))
        for place in range(number)
    ]
    accounts = MailAccount.objects.bulk_create(rows, batch_size=5000)
    grant, sealed = make_grant(), Secret("s3cret")
    ways: Any = cycle(({"backend": "password", "secret": sealed}, {"backend": "xoauth2", "grant": grant}))
    active = [
        Credential(account=account, username=account.address, state=CredentialState.ACTIVE, **way)
        for account, way in zip(accounts, ways, strict=False)
    ]
    Credential.objects.bulk_create(active, batch_size=5000)
    Tally.objects.bulk_create((Tally(account=each, stored=10, nobody=90) for each in accounts), batch_size=5000)
    return accounts


def make_entries(number: int, account: MailAccount) -> None:
    """Audit entries of one account."""
    entry = {"account": account.pk, "address": account.address, "owner_id": account.owner_id}
    AuditEntry.objects.bulk_create(
        (AuditEntry(action=each, **entry) for each in islice(cycle(AuditAction), number)), batch_size=5000
    )


def multiply(row: Any, over: str, **columns: str) -> None:
    """Copies a row within the database, once for each row of ``over``: a piece of FROM, as ``columns`` are pieces of
    SELECT. PostgreSQL only."""
    fields = [field for field in row._meta.concrete_fields if not isinstance(field, AutoField)]
    names = ", ".join(f'"{field.column}"' for field in fields)
    values = ", ".join(columns.get(field.name, f'own."{field.column}"') for field in fields)
    table, key = row._meta.db_table, row._meta.pk.column
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO {table} ({names}) SELECT {values} FROM {over}, {table} own WHERE own."{key}" = %s',  # noqa: S608 - a test's
            [row.pk],
        )


def _state(place: int, now: datetime) -> dict[str, Any]:
    status, code = STATES[place % len(STATES)]
    return {
        "imap_host": HOSTS[place % len(HOSTS)],
        "status": status,
        "status_code": code,
        "failures": 3 if code else 0,
        "last_sync_at": now - timedelta(seconds=place % 3600),
        "last_mail_at": now - timedelta(seconds=place % 86_400),
        "next_sync_at": now + timedelta(seconds=300 - place % 600),
    }


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
