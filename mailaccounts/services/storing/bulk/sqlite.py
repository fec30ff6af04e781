"""SQLite: one prepared INSERT, run for every row. bulk_create would cut the rows into statements of 999 values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection, models

from mailaccounts.services.storing.bulk.statements import listed, named, on_conflict, quoted, rest, table

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from django.db.models import Model


class SQLite:
    """Keys are counted by SQLite itself (AUTOINCREMENT): the highest there ever was is in ``sqlite_sequence``."""

    def reserve(self, model: type[Model], count: int) -> Sequence[int]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [model._meta.db_table])
            row = cursor.fetchone()
        last = row[0] if row else 0
        return range(last + 1, last + 1 + count)

    def insert(self, model: type[Model], columns: Sequence[str], rows: Collection[tuple[Any, ...]]) -> None:
        self._insert(model, columns, rows)

    def upsert(
        self, model: type[Model], columns: Sequence[str], rows: Collection[tuple[Any, ...]], *, unique: Sequence[str]
    ) -> None:
        self._insert(model, columns, rows, on_conflict(named(model, columns), unique))

    def update(self, model: type[Model], columns: Sequence[str], rows: Collection[tuple[Any, ...]]) -> None:
        key, *others = named(model, columns)
        dates = [place for place, field in enumerate(others) if isinstance(field, models.DateTimeField)]
        new = ", ".join(f"{quoted(each.column)} = %s" for each in others)
        with connection.cursor() as cursor:
            cursor.executemany(
                f"UPDATE {table(model)} SET {new} WHERE {quoted(key.column)} = %s",  # noqa: S608 - names of our own
                [(*_with_dates(row[1:], dates), row[0]) for row in rows],
            )

    def _insert(
        self, model: type[Model], columns: Sequence[str], rows: Collection[tuple[Any, ...]], clause: str = ""
    ) -> None:
        others, values = rest(model, columns)
        fields = [*named(model, columns), *others]
        dates = [place for place, field in enumerate(fields) if isinstance(field, models.DateTimeField)]
        marks = ", ".join(["%s"] * len(fields))
        with connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO {table(model)} ({listed(fields)}) VALUES ({marks}) {clause}",  # noqa: S608 - names of our own
                [_with_dates(row + values, dates) for row in rows],
            )


def _with_dates(row: tuple[Any, ...], places: Sequence[int]) -> tuple[Any, ...]:
    """The row with its moments in the form in which Django writes them."""
    if not places:
        return row
    changed = list(row)
    for place in places:
        changed[place] = connection.ops.adapt_datetimefield_value(changed[place])
    return tuple(changed)
