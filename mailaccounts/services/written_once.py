"""SQLite refuses to change or delete what is written once, as migration 0003 has PostgreSQL do.

A migration on SQLite copies tables and loses their triggers, or stumbles over them: they are gone while it works, and
made anew after it. SQLite can't look at the end of a transaction whether what a row named is gone: it lets these
columns be emptied, and looks go with an account that is disconnected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connections

from mailaccounts.models import AccountStatus, AuditEntry, Look, MailAccount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import Model

EMPTIED: dict[type[Model], tuple[str, ...]] = {AuditEntry: ("actor", "owner"), Look: ("message", "viewer")}


def guard(using: str) -> None:
    """Has the database refuse, if it is SQLite and has the tables."""
    connection = connections[using]
    if connection.vendor != "sqlite":
        return
    there = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        for statement in _statements() if _tables() <= there else ():
            cursor.execute(statement)


def unguard(using: str) -> None:
    """Takes that back."""
    connection = connections[using]
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        for table in sorted(_tables()):
            cursor.execute(f"DROP TRIGGER IF EXISTS {table}_unchanged")
            cursor.execute(f"DROP TRIGGER IF EXISTS {table}_kept")


def _tables() -> set[str]:
    return {model._meta.db_table for model in EMPTIED}


def _statements() -> Iterator[str]:
    for model, emptied in EMPTIED.items():
        table = model._meta.db_table
        refuse = f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are written once'); END"
        same = " AND ".join(
            f"(NEW.{field.column} IS OLD.{field.column}{f' OR NEW.{field.column} IS NULL' * (field.name in emptied)})"
            for field in model._meta.concrete_fields
        )
        yield f"CREATE TRIGGER IF NOT EXISTS {table}_unchanged BEFORE UPDATE ON {table} WHEN NOT ({same}) {refuse}"
        unless = f"WHEN {_CONNECTED} " if model is Look else ""
        yield f"CREATE TRIGGER IF NOT EXISTS {table}_kept BEFORE DELETE ON {table} {unless}{refuse}"


_CONNECTED = (
    f"EXISTS (SELECT 1 FROM {MailAccount._meta.db_table} WHERE id = OLD.account_id"  # noqa: S608 - no value is anybody's
    f" AND status <> '{AccountStatus.DISCONNECTED}')"
)
