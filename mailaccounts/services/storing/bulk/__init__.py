"""Writes many rows at once, the way each database takes them fastest.

A row is a tuple of values in the order of its columns; columns that aren't named get the default of their field.
Whatever the database can't hold raises what Django raises: DataError, IntegrityError, ValueError or OverflowError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from django.db import connection

from mailaccounts.services.storing.bulk.postgresql import PostgreSQL
from mailaccounts.services.storing.bulk.sqlite import SQLite

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from django.db.models import Model

__all__ = ["Bulk", "bulk"]

Row = tuple[Any, ...]


class Bulk(Protocol):
    """One statement for each call, however many rows. Call it inside a transaction that has written already: on
    SQLite that is what keeps reserved keys reserved."""

    def reserve(self, model: type[Model], count: int) -> Sequence[int]:
        """``count`` primary keys for rows of ``model`` that nobody else will get."""

    def insert(self, model: type[Model], columns: Sequence[str], rows: Collection[Row]) -> None:
        """New rows; ``columns`` are the fields' attnames, such as ``message_id`` for a foreign key ``message``."""

    def upsert(
        self, model: type[Model], columns: Sequence[str], rows: Collection[Row], *, unique: Sequence[str]
    ) -> None:
        """New rows, or new values for those that have the same ``unique`` columns. No two of ``rows`` may have."""

    def update(self, model: type[Model], columns: Sequence[str], rows: Collection[Row]) -> None:
        """New values for the rows whose primary key is the first of ``columns``."""


BULKS: dict[str, Bulk] = {"postgresql": PostgreSQL(), "sqlite": SQLite()}


def bulk() -> Bulk:
    """The one for the database in use."""
    return BULKS[connection.vendor]
