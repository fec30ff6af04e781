"""Rewrites what the database refuses to: tests that let time pass or forget what went before."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def rewriting() -> Iterator[None]:
    """Within it no trigger fires, which takes PostgreSQL's superuser."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        try:
            yield
        finally:
            cursor.execute("SET session_replication_role = DEFAULT")
