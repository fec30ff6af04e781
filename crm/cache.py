"""The cache: Redis, shared by all processes, and this process's own memory while Redis is out of reach.

What is kept in it are counts: of attempts to sign in, and of what mail servers are asked for. Nobody should be kept
from signing in, nor any mailbox from its mail, because Redis restarts, and nobody should be free to guess passwords
meanwhile.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from functools import cache
from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis import Redis
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

REST_SECONDS = 1.0  # that a Redis out of reach isn't asked: each call might wait for it
REST_FOR_EACH_SECOND = 10.0  # that was waited for it


class Outage:
    """What this process knows of a Redis out of reach: it is said once that it is gone, and once that it is back."""

    def __init__(self) -> None:
        self.lasts, self._ask_at, self._rest = False, 0.0, REST_SECONDS

    def rests(self) -> bool:
        """Whether nobody asks now; once it is time, the first who comes does, and no other waits with them."""
        now = time.monotonic()
        if not self.lasts or now < self._ask_at:
            return self.lasts
        self._ask_at = now + self._rest
        return False

    def goes_on(self, error: RedisError, *, waited: float) -> None:
        if not self.lasts:
            logger.warning(
                "the cache is out of reach, this process's memory takes its place: %s", type(error).__name__
            )
        self._rest = max(REST_SECONDS, waited * REST_FOR_EACH_SECOND)
        self.lasts, self._ask_at = True, time.monotonic() + self._rest

    def is_over(self) -> None:
        if self.lasts:
            logger.warning("the cache is back")
        self.lasts = False


_outages: defaultdict[str, Outage] = defaultdict(Outage)  # by address: each thread has a cache object of its own


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
        self._outage = _outages[server]

    def add(self, *args: Any, **kwargs: Any) -> Any:
        return self._call("add", *args, **kwargs)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._call("get", *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> Any:
        return self._call("set", *args, **kwargs)

    def set_many(self, *args: Any, **kwargs: Any) -> Any:
        return self._call("set_many", *args, **kwargs)

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
        if not self._outage.rests():
            began = time.monotonic()
            try:
                answer = getattr(super(), name)(*args, **kwargs)
            except RedisError as error:
                self._outage.goes_on(error, waited=time.monotonic() - began)
            else:
                self._outage.is_over()
                return answer
        return getattr(self._memory, name)(*args, **kwargs)
