"""Counts tests of a connection, which could be misused to guess passwords or to scan hosts."""

from __future__ import annotations

import hashlib

from mailaccounts.conf import settings
from mailaccounts.errors import TooManyAttempts
from mailaccounts.services.limits import shared

WINDOW_SECONDS = 600
HOST_FACTOR = 10  # a host serves many of our users


def count_attempt(*, user_id: int, host: str) -> None:
    """Notes one attempt; TooManyAttempts when the user, or all users together at this host, made too many.

    While the cache is out of reach nothing is counted: a mailbox can still be connected.
    """
    limit = settings.connection_tests
    _count(f"user:{user_id}", limit=limit)
    _count(f"host:{host.lower()}", limit=limit * HOST_FACTOR)


def _count(name: str, *, limit: int) -> None:
    key = f"mailaccounts:attempts:{hashlib.sha256(name.encode()).hexdigest()}"  # caches restrict what keys may hold
    if shared.count(key, seconds=WINDOW_SECONDS) > limit:
        raise TooManyAttempts
