"""``field__among=values``: ``__in`` for thousands of values.

Django makes a parameter of every value, which costs it and the driver more time than the database takes; and SQLite
has a limit on how many a query may have.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.db.models import Field
from django.db.models.lookups import In

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.sql.compiler import SQLCompiler


class Among(In):
    """One parameter: an array on PostgreSQL, JSON on SQLite; an ordinary list elsewhere. The values are texts or
    numbers, as the column's are."""

    lookup_name = "among"

    def get_prep_lookup(self) -> list[Any]:
        return list(self.rhs)

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, list[Any]]:
        column, parameters = self.process_lhs(compiler, connection)
        return f"{column} = ANY(%s)", [*parameters, self.rhs]

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, list[Any]]:
        column, parameters = self.process_lhs(compiler, connection)
        among = "IN (SELECT value FROM json_each(%s))"
        return f"{column} {among}", [*parameters, json.dumps(self.rhs)]


Field.register_lookup(Among)
