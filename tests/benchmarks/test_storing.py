"""What writing a first sync's rows costs: the way of the database in use beside Django's bulk_create."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, models

from mailaccounts.mail.headers import parse_headers
from mailaccounts.mail.parse import parse_message
from mailaccounts.models import Folder, Message, Participant
from mailaccounts.services.limits import lease
from mailaccounts.services.storing import bulk
from mailaccounts.services.storing.bulk.postgresql import PostgreSQL
from mailaccounts.services.syncing.found import Found
from mailaccounts.services.syncing.store import Batch, store_batch
from mailaccounts.testing.mailbox import Person, generate
from tests.app.builders import make_account
from tests.benchmarks.measure import compare

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True)]

MESSAGES = 2_000
BATCH = 100  # messages whose bodies come in one portion


class ByDjango(PostgreSQL):
    """Rows as instances of their models."""

    def insert(
        self, model: type[models.Model], columns: Sequence[str], rows: Collection[tuple[Any, ...]], **options: Any
    ) -> None:
        made = [model(**dict(zip(columns, row, strict=True))) for row in rows]
        model._default_manager.bulk_create(made, batch_size=500, **options)

    def upsert(
        self,
        model: type[models.Model],
        columns: Sequence[str],
        rows: Collection[tuple[Any, ...]],
        *,
        unique: Sequence[str],
    ) -> None:
        names = {field.attname: field.name for field in model._meta.concrete_fields}
        self.insert(
            model,
            columns,
            rows,
            update_conflicts=True,
            unique_fields=[names[each] for each in unique],
            update_fields=[names[each] for each in columns if each not in unique],
        )


@pytest.fixture(scope="module")
def letters() -> list[Found]:
    contacts = [Person(name=f"Contact {number}", address=f"contact{number}@example.org") for number in range(100)]
    owner = Person(name="Anna Owner", address="anna@example.com")
    generated = generate(MESSAGES, seed=1, owner=owner, contacts=contacts, attachment_bytes=(1_000, 20_000))
    return [
        Found(
            uid=uid,
            size=len(message.raw),
            received_at=datetime(2026, 11, 1, tzinfo=UTC),
            headers=parse_headers(message.raw, size=len(message.raw)),
            content=parse_message(message.raw),
        )
        for uid, message in enumerate(generated, start=1)
    ]


def test_rows_are_written_faster_than_by_bulk_create(letters: list[Found], monkeypatch: pytest.MonkeyPatch) -> None:
    def write() -> None:
        """Into an account that has nothing yet."""
        account = make_account()
        held = lease.claim(account)
        assert held is not None
        folder = Folder.objects.create(account=account, name="INBOX", role="inbox", uidvalidity=1)
        for start in range(0, len(letters), BATCH):
            part = letters[start : start + BATCH]
            store_batch(
                held, Batch(folder_id=folder.pk, uidvalidity=1, last_uid=part[-1].uid, examined=BATCH, found=part)
            )

    def by_django() -> None:
        with monkeypatch.context() as patch:
            patch.setitem(bulk.BULKS, connection.vendor, ByDjango())
            write()

    result = compare(f"{MESSAGES} messages", write, peer_name="bulk_create", peer=by_django, must=0.8)
    print(f"\n{result.report()}\n{Message.objects.count()} messages, {Participant.objects.count()} participants")  # noqa: T201 - a benchmark is there to be read
    assert result.ratio <= result.must
