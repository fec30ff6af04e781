"""What a log line belongs to: an account, and the request or task that it was written in. And lines as JSON.

``about`` and ``correlated`` say it for all that is logged within; neither is anybody's address.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mailaccounts.redact import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

_account: ContextVar[int | None] = ContextVar("mailaccounts_account", default=None)
_correlation: ContextVar[str] = ContextVar("mailaccounts_correlation", default="")

_USABLE = re.compile(r"[\w.-]{1,64}", re.ASCII)


@contextmanager
def about(account_id: int) -> Iterator[None]:
    """What is logged within is about this account."""
    token = _account.set(account_id)
    try:
        yield
    finally:
        _account.reset(token)


@contextmanager
def correlated(with_: str = "") -> Iterator[str]:
    """What is logged within belongs together, under the id that is given if it can be one, else under a new one."""
    token = _correlation.set(with_ if _USABLE.fullmatch(with_) else secrets.token_hex(8))
    try:
        yield _correlation.get()
    finally:
        _correlation.reset(token)


def correlate(with_: str) -> None:
    """The same from now on, in a process that does one thing after the other."""
    _correlation.set(with_ if _USABLE.fullmatch(with_) else secrets.token_hex(8))


def correlation() -> str:
    """The id that what is logged now goes under; "" outside of requests and tasks."""
    return _correlation.get()


class JsonFormatter(logging.Formatter):
    """One JSON object to a line: ``at``, ``level``, ``logger``, ``message``, ``account`` and ``correlation`` where
    there are any, ``traceback`` of an error. Without secrets, and without addresses: whoever writes one by mistake,
    or a library that prints one, prints "…"."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": clean(record.getMessage()),
        }
        if (account := _account.get()) is not None:
            line["account"] = account
        if _correlation.get():
            line["correlation"] = _correlation.get()
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            line["traceback"] = clean(record.exc_text)
        return json.dumps(line, ensure_ascii=False)
