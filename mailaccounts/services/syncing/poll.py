"""Syncs a portion of accounts in one job: several at the same time, since most of a sync is waiting for a server."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING

from django.db import connections

from mailaccounts.conf import settings
from mailaccounts.models import MailAccount
from mailaccounts.queue import is_stopping
from mailaccounts.services.syncing.due import go_on, put_back
from mailaccounts.services.syncing.sync import sync_account
from mailaccounts.services.telling.safely import safely

if TYPE_CHECKING:
    from collections.abc import Sequence


def poll(account_ids: Sequence[int]) -> None:
    """Syncs these accounts, POLLS_AT_ONCE at a time; one that fails doesn't stop the others.

    After half a SYNC_BUDGET none is begun any more, so that the job ends in time even if the last one takes as long as
    its lease, nor once the worker is to stop: the rest is due again, for the next tick.
    """
    if len(account_ids) == 1:
        sync(account_ids[0])
        return
    waiting, until = deque(account_ids), time.monotonic() + settings.sync_budget / 2
    threads = min(settings.polls_at_once, len(account_ids))
    with ThreadPoolExecutor(threads, thread_name_prefix="poll") as pool:
        for _ in range(threads):
            pool.submit(copy_context().run, _work_off, waiting, until=until)  # its log lines belong together
    if waiting:
        put_back(waiting)


def sync(account_id: int) -> None:
    """Syncs an account, and queues it again when there was more than one sync's time allows."""
    try:
        report = sync_account(account_id)
    except MailAccount.DoesNotExist:
        return  # disconnected while it was queued
    if not report.finished and report.error is None:
        go_on(account_id)


def _work_off(waiting: deque[int], *, until: float) -> None:
    """What one thread does, on database connections of its own."""
    try:
        while time.monotonic() < until and not is_stopping():
            try:
                account_id = waiting.popleft()
            except IndexError:
                return
            safely(partial(sync, account_id))
            for connection in connections.all(initialized_only=True):
                if connection.errors_occurred:
                    connection.close_if_unusable_or_obsolete()
    finally:
        connections.close_all()
