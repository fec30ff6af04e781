"""Whether all is there that this installation needs: database, migrations, broker, cache, and workers that tick.

Nothing here speaks to a mail server or a provider. What is wrong is a sentence with the next step, without an
address or a secret.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

from django.core.cache import cache
from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from mailaccounts import queue
from mailaccounts.services.running.alarms import raised
from mailaccounts.services.trail import beats

if TYPE_CHECKING:
    from collections.abc import Callable

LATE = 300  # seconds after which a tick, which runs every minute, is missed

logger = logging.getLogger(__name__)


def problems() -> list[str]:
    """What is wrong, most basic first; nothing when all is well. Without a database nothing else is asked."""
    if wrong := foundation():
        return [wrong]
    return away()


def foundation() -> str:
    """What is wrong with the database itself; "" when nothing is."""
    return _carefully(
        _database, otherwise="The database can't be reached. Start it, or correct DATABASE_URL."
    ) or _carefully(_migrations, otherwise="Which migrations are applied can't be read from the database.")


def away() -> list[str]:
    """What is wrong beside the database."""
    rest = (
        _carefully(_broker, otherwise="The queue's broker can't be reached. Start Redis, or correct REDIS_URL."),
        _carefully(_cache, otherwise="The cache can't be reached. Start Redis, or correct the setting CACHES."),
        _carefully(_tick, otherwise="When workers last ticked can't be read from the database."),
    )
    return [wrong for wrong in rest if wrong]


def alarms() -> list[str]:
    """The kinds of alarms that are raised; none while the database can't be asked. They don't make unready: what
    ends in a fortnight keeps no web server from serving."""
    try:
        return sorted({each.kind for each in raised().only("kind")})
    except (DatabaseError, InterfaceError):
        return []


def _carefully(check: Callable[[], str], *, otherwise: str) -> str:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - every broker, cache and database has errors of its own
        logger.error("not ready: %s: %s", check.__name__.strip("_"), type(error).__name__)
        return otherwise


def _database() -> str:
    connection = connections[DEFAULT_DB_ALIAS]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, InterfaceError):
        connection.close()  # the next question gets a connection of its own, once there is a database again
        raise
    return ""


def _migrations() -> str:
    """Only whether some are missing: a database that is ahead of this process serves a newer one beside it."""
    known = MigrationLoader(None, ignore_no_migrations=True).graph
    applied = MigrationRecorder(connections[DEFAULT_DB_ALIAS]).applied_migrations()
    missing = [node for node in known.leaf_nodes() if node not in applied]
    if not missing:
        return ""
    return f"Migrations of {', '.join(sorted(app for app, _ in missing))} aren't applied. Run manage.py migrate."


def _broker() -> str:
    queue.waiting()
    return ""


def _cache() -> str:
    key, value = "mailaccounts.ready", secrets.token_hex(8)
    cache.set(f"{key}.{value}", value, 10)
    return "" if cache.get(f"{key}.{value}") == value else "The cache forgets what it is told. See the setting CACHES."


def _tick() -> str:
    ago = beats.seconds_since(beats.TICK)
    if ago is None:
        return "No worker has ticked yet. Start manage.py qcluster; the first tick takes up to a minute."
    if ago > LATE:
        return f"No worker has ticked for {ago / 60:.0f} minutes. See whether manage.py qcluster runs, and its log."
    return ""
