"""The cache: Redis, shared by all processes, and this process's own memory while Redis is out of reach.

What is kept in it are counts: of attempts to sign in, and of what mail servers are asked for. Nobody should be kept
from signing in, nor any mailbox from its mail, because Redis restarts, and nobody should be free to guess passwords
meanwhile.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis import Redis
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


class LastingClient(RedisCacheClient):
    """Django's makes a client of redis-py for every call, which takes longer than the call itself."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._client = cache(Redis)


class RedisOrMemoryCache(RedisCache):
    """Every call that Redis doesn't answer is answered from memory."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = LastingClient
        self._memory = LocMemCache("while-redis-is-out-of-reach", params)

    def add(self, *args: Any, **kwargs: Any) -> Any:
        return self._call("add", *args, **kwargs)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._call("get", *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> Any:
        return self._call("set", *args, **kwargs)

    def touch(self, *args: Any, **kwargs: Any) -> Any:
        return self._call("touch", *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        return self._call("delete", *args, **kwargs)

    def get_many(self, *args: Any, **kwargs: Any) -> Any:
        return self._call("get_many", *args, **kwargs)

    def delete_many(self, *args: Any, **kwargs: Any) -> Any:
        return self._call("delete_many", *args, **kwargs)

    def incr(self, *args: Any, **kwargs: Any) -> Any:
        return self._call("incr", *args, **kwargs)

    def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return getattr(super(), name)(*args, **kwargs)
        except RedisError as error:
            logger.warning("the cache is out of reach: %s", type(error).__name__)
            return getattr(self._memory, name)(*args, **kwargs)
