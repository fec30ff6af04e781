"""PostgreSQL: COPY straight into the table where no row can be there already, arrays where one can."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection

from mailaccounts.services.storing.bulk.statements import listed, named, on_conflict, quoted, rest, table

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from django.db.models import Field, Model


class PostgreSQL:
    """COPY as text: the server checks every value then, and the binary form gains a tenth only."""

    def reserve(self, model: type[Model], count: int) -> Sequence[int]:
        key = model._meta.pk
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)",
                [table(model), key.column, count],
            )
            return sorted(number for (number,) in cursor.fetchall())

    def insert(self, model: type[Model], columns: Sequence[str], rows: Collection[tuple[Any, ...]]) -> None:
        if not rows:
            return
        others, values = rest(model, columns)
        fields = [*named(model, columns), *others]
        statement = f"COPY {table(model)} ({listed(fields)}) FROM STDIN"
        # Django's cursor translates what goes wrong at the beginning of a COPY, and leaves the rest to us.
        with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row + values)

    def upsert(
        self, model: type[Model], columns: Sequence[str], rows: Collection[tuple[Any, ...]], *, unique: Sequence[str]
    ) -> None:
        if not rows:
            return
        fields = named(model, columns)
        others, values = rest(model, columns)
        constants = "".join(", %s" for _ in others)
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {table(model)} ({listed([*fields, *others])})"  # noqa: S608 - names of our own
                f" SELECT rows.*{constants} FROM unnest({_arrays(fields)}) AS rows {on_conflict(fields, unique)}",
                [*values, *map(list, zip(*rows, strict=True))],
            )

    def update(self, model: type[Model], columns: Sequence[str], rows: Collection[tuple[Any, ...]]) -> None:
        if not rows:
            return
        key, *others = fields = named(model, columns)
        new = ", ".join(f"{quoted(each.column)} = rows.{quoted(each.column)}" for each in others)
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {table(model)} SET {new}"  # noqa: S608 - names of our own
                f" FROM unnest({_arrays(fields)}) AS rows ({listed(fields)})"
                f" WHERE {table(model)}.{quoted(key.column)} = rows.{quoted(key.column)}",
                [*map(list, zip(*rows, strict=True))],
            )


def _arrays(fields: Sequence[Field[Any, Any]]) -> str:
    """A parameter for each field: the values of its column. Without its length: a cast to varchar(9) would cut off
    what an INSERT refuses."""
    return ", ".join(f"%s::{str(each.db_type(connection)).partition('(')[0]}[]" for each in fields)
