"""Triggers on SQLite, all of them: made after migrating, for a migration that copies a table loses those it has.

What is written once SQLite refuses to change or delete, as migration 0003 has PostgreSQL do; migrations stumble over
that, so it is taken back while one works. SQLite can't look at the end of a transaction whether what a row named is
gone: it lets these columns be emptied, and looks go with an account that is disconnected. And the index of the search
follows the messages; where it lost sight of them, it is written anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connections

from mailaccounts.models import AccountStatus, AuditEntry, Look, MailAccount
from mailaccounts.services.storing.search import sqlite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import Model

EMPTIED: dict[type[Model], tuple[str, ...]] = {AuditEntry: ("actor", "owner"), Look: ("message", "viewer")}


def make(using: str) -> None:
    """Makes those that aren't there, if it is SQLite and has the tables."""
    connection = connections[using]
    if connection.vendor != "sqlite":
        return
    there = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        for statement in _statements() if _tables() <= there else ():
            cursor.execute(statement)
        if sqlite.TABLE in there:
            sqlite.follow(cursor)


def lift(using: str) -> None:
    """Takes back what refuses changes."""
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
