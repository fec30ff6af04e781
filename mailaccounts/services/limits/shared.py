"""What all workers know together, in Django's default cache: with several of them, configure a shared one.

While the cache is out of reach nothing is known and nothing is noted: mail goes on without budgets rather than not at
all.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.cache import cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

logger = logging.getLogger(__name__)

Value = TypeVar("Value")


def get(key: str, default: Any = None) -> Any:
    return _careful(lambda: cache.get(key, default), default)


def get_many(keys: Iterable[str]) -> dict[str, Any]:
    return _careful(lambda: cache.get_many(keys), {})


def put(key: str, value: Any, seconds: float) -> None:
    _careful(lambda: cache.set(key, value, seconds), None)


def put_many(values: dict[str, Any], seconds: float) -> None:
    _careful(lambda: cache.set_many(values, seconds), None)


def add(key: str, value: Any, seconds: float | None) -> bool:
    """Whether the key was free, and now has the value; for good where ``seconds`` is None."""
    return _careful(lambda: cache.add(key, value, seconds), True)


def count(key: str, amount: int = 1, *, seconds: float) -> int:
    """The sum of all amounts so far, within ``seconds`` of the first."""
    return _careful(lambda: _count(key, amount, seconds), amount)


def forget(*keys: str) -> None:
    _careful(lambda: cache.delete_many(keys), None)


def _count(key: str, amount: int, seconds: float) -> int:
    if cache.add(key, amount, seconds):
        return amount
    try:
        return int(cache.incr(key, amount))
    except ValueError:  # it lapsed between the two calls
        return amount


def _careful(ask: Callable[[], Value], otherwise: Value) -> Value:
    try:
        return ask()
    except Exception as error:  # noqa: BLE001 - every cache has errors of its own
        logger.error("the shared cache is out of reach: %s", type(error).__name__)
        return otherwise
