"""The database refuses to change or delete what was noted, whoever asks; only what is gone is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import IntegrityError, connection, transaction

from mailaccounts.models import AccountStatus, AuditAction, AuditEntry, Look, MailAccount
from mailaccounts.services.trail import audit, looks
from tests.app.builders import make_account, make_message, make_user

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.django_db

TABLES = ("mailaccounts_auditentry", "mailaccounts_look")


@pytest.fixture
def entry() -> AuditEntry:
    account = make_account()
    return audit.note(AuditAction.CONNECTED, account, actor=make_user(), backend="password")


@pytest.fixture
def look() -> Look:
    looks.note(make_message(make_account()), viewer=make_user(), why="Read the conversation")
    return Look.objects.get()


def refused(work: Callable[[], Any]) -> bool:
    """Whether the database refuses it, at once or when the transaction ends."""
    try:
        with transaction.atomic():
            work()
            connection.check_constraints()
    except IntegrityError as error:
        return "written once" in str(error)
    return False


def run(statement: str) -> None:
    """As somebody with the application's own access to the database, and none of its code."""
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    "change",
    ["action = 'disconnected'", "at = '2020-01-01'", "address = 'x@example.test'", "account = 77", "facts = '{}'"],
)
def test_an_entry_of_the_audit_trail_can_not_be_changed(entry: AuditEntry, change: str) -> None:
    assert refused(lambda: run(f"UPDATE mailaccounts_auditentry SET {change}"))  # noqa: S608 - a test's own


@pytest.mark.parametrize("change", ["why = 'Nothing'", "at = '2020-01-01'", "id = 77"])
def test_a_look_can_not_be_changed(look: Look, change: str) -> None:
    assert refused(lambda: run(f"UPDATE mailaccounts_look SET {change}"))  # noqa: S608 - a test's own


def test_nothing_of_either_can_be_deleted(entry: AuditEntry, look: Look) -> None:
    for table in TABLES:
        assert refused(lambda table=table: run(f"DELETE FROM {table}"))  # noqa: S608 - a test's own
    assert refused(entry.delete)
    assert refused(look.delete)
    assert AuditEntry.objects.count() == Look.objects.count() == 1


def test_nor_can_somebody_else_be_put_in(entry: AuditEntry, look: Look) -> None:
    other = make_user()
    assert refused(lambda: AuditEntry.objects.update(actor=other))
    assert refused(lambda: AuditEntry.objects.update(owner=other))
    assert refused(lambda: Look.objects.update(viewer=other))
    assert refused(lambda: Look.objects.update(message=make_message(make_account())))


def test_a_user_who_is_deleted_is_forgotten_and_what_they_did_is_not(entry: AuditEntry, look: Look) -> None:
    for gone in (entry.actor, entry.owner, look.viewer):
        assert not refused(gone.delete)  # type: ignore[union-attr]  # they are there
    entry.refresh_from_db()
    look.refresh_from_db()
    assert (entry.actor, entry.owner, look.viewer) == (None, None, None)
    assert (entry.action, entry.facts, look.why) == ("connected", {"backend": "password"}, "Read the conversation")


def test_a_message_that_is_erased_leaves_the_look_at_it(look: Look) -> None:
    assert look.message
    assert not refused(look.message.delete)
    look.refresh_from_db()
    assert look.message is None


def test_looks_go_with_an_account_that_is_erased(look: Look) -> None:
    MailAccount.objects.update(status=AccountStatus.DISCONNECTED)
    assert not refused(look.account.delete)
    assert not Look.objects.exists()


def test_nobody_who_is_there_is_forgotten(entry: AuditEntry, look: Look) -> None:
    """SQLite can't tell; PostgreSQL looks when the transaction ends."""
    if connection.vendor == "postgresql":
        assert refused(lambda: AuditEntry.objects.update(actor=None))
        assert refused(lambda: AuditEntry.objects.update(owner=None))
        assert refused(lambda: Look.objects.update(viewer=None))
        assert refused(lambda: Look.objects.update(message=None))


def test_no_look_is_deleted_while_its_account_is_there(look: Look) -> None:
    if connection.vendor == "postgresql":
        MailAccount.objects.update(status=AccountStatus.DISCONNECTED)
        assert refused(look.delete)
