"""What the statements of all databases have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import Field, Model


def named(model: type[Model], columns: Sequence[str]) -> list[Field[Any, Any]]:
    """The fields with the attnames ``columns``, in that order."""
    fields = {field.attname: field for field in model._meta.concrete_fields}
    return [fields[column] for column in columns]


def rest(model: type[Model], columns: Sequence[str]) -> tuple[list[Field[Any, Any]], tuple[Any, ...]]:
    """The fields that aren't in ``columns``, but for the primary key, and the value that a new row has in each."""
    new = model()
    fields = [each for each in model._meta.concrete_fields if not each.primary_key and each.attname not in columns]
    return fields, tuple(field.pre_save(new, add=True) for field in fields)


def table(model: type[Model]) -> str:
    return quoted(model._meta.db_table)


def listed(fields: Sequence[Field[Any, Any]]) -> str:
    """The columns of ``fields``, separated by commas."""
    return ", ".join(quoted(field.column) for field in fields)


def on_conflict(fields: Sequence[Field[Any, Any]], unique: Sequence[str]) -> str:
    """The clause that gives a row that is there already the new values. PostgreSQL and SQLite spell it alike."""
    keys = [field for field in fields if field.attname in unique]
    changed = (quoted(field.column) for field in fields if field.attname not in unique)
    return f"ON CONFLICT ({listed(keys)}) DO UPDATE SET {', '.join(f'{each} = excluded.{each}' for each in changed)}"


def quoted(name: str | None) -> str:
    return connection.ops.quote_name(name or "")
